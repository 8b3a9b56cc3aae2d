-- $1 execution · $2 name · $3 payload · $4 dedup id
select currant.signal($1, $2, $3, $4);
