-- $1 execution
select currant.cancel($1);
