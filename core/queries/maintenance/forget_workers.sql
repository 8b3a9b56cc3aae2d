-- Workers whose lease is over and whose executions were returned.
delete from currant.worker_heartbeats worker
where worker.lease_until <= currant.now()
  and not exists (select from currant.running where running.worker_id = worker.id);
