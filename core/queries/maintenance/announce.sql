-- $1 executions that ended
select currant.announce($1::uuid[]);
