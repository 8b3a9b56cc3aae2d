-- $1 the queue whose executions stay
delete from currant.ready where queue <> $1;
