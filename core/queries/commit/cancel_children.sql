-- $1 workflows
select currant.cancel_children($1::uuid[]);
