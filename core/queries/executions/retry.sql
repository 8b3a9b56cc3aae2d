-- $1 execution · $2 from its start
select currant.retry($1, $2);
