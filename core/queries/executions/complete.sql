-- $1 token · $2 result
select currant.complete($1, $2);
