drop function currant.fire_waiting(integer);
drop function currant.fire(text, timestamptz, text);
drop function currant.start_scheduled(currant.schedules, timestamptz);
drop function currant.schedule_goes_on(text);
drop table currant.schedule_fires;
drop table currant.schedules;
