-- $1 worker
delete from currant.worker_heartbeats where id = $1;
