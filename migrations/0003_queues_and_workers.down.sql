drop table currant.worker_heartbeats;
drop table currant.queues;
