select worker.id, worker.host, worker.pid, worker.version, worker.queues, worker.slots,
       (select count(*) from currant.running where running.worker_id = worker.id) as running,
       worker.started_at, worker.lease_until, worker.lease_until > currant.now() as alive
from currant.worker_heartbeats worker
order by worker.started_at;
