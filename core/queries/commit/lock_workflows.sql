-- $1 workflows that the batch writes · $2 executions that end, begin anew or are given up: their open children are cancelled, and so on
-- downwards; whoever waits for one of them is told
select currant.lock_family($1::uuid[], $2::uuid[]);
