-- $1 worker
select id from currant.running where worker_id = $1 and cancel_requested;
