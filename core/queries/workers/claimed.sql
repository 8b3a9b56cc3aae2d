-- $1 worker
select id, run from currant.running where worker_id = $1;
