-- $1 id · $2 host · $3 pid · $4 version · $5 queues · $6 slots · $7 lease in milliseconds · $8 what its file says of queues
insert into currant.worker_heartbeats (id, host, pid, version, queues, slots, lease_until, queue_settings)
values ($1, $2, $3, $4, $5, $6, currant.now() + $7 * interval '1 ms', $8);
