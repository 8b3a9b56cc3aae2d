drop function currant.apply_files(uuid);
drop function currant.change_queue(text, jsonb, jsonb);
drop function currant.use_queue(text);
drop table currant.worker_heartbeats;
drop table currant.duties;
drop table currant.rate_limits;
drop table currant.queues;
drop function currant.setting(jsonb, jsonb, text);
drop function currant.per_second(text);
