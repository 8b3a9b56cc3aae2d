-- $1 execution
select result from currant.outcomes where id = $1;
