-- $1 queue
select currant.resume_queue($1);
