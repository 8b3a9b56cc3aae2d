-- $1 workflows that ended
select currant.close_workflows($1::uuid[]);
