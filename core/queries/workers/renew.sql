-- $1 worker · $2 lease in milliseconds. Only while it lasts: what was claimed under a lease that ended may be another's.
update currant.worker_heartbeats
set lease_until = currant.now() + $2 * interval '1 ms'
where id = $1 and lease_until > currant.now();
