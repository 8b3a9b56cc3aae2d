-- Workers that can claim.
select count(*) from currant.worker_heartbeats where lease_until > currant.now();
