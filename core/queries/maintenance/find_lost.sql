-- $1 how many: claimed by workers whose lease is over, or who are gone
select running.id
from currant.running
left join currant.worker_heartbeats worker on worker.id = running.worker_id and worker.lease_until > currant.now()
where worker.id is null
order by running.id
limit $1;
