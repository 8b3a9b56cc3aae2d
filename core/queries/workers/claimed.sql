-- $1 worker
select id, run, claimed_at from currant.running where worker_id = $1;
