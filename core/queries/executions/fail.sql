-- $1 token · $2 failure
select currant.fail($1, $2);
