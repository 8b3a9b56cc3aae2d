-- $1 deployment
select id, status, module, digest, reason, requested_at, decided_at,
       (select count(*) from currant.worker_heartbeats where lease_until > currant.now()) as workers
from currant.deployments
where id = $1;
