-- $1 queue
select currant.pause_queue($1);
