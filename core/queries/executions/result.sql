-- $1 execution
select status, result, failure from currant.result($1);
