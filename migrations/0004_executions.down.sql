drop table currant.logs;
drop table currant.keys;
drop table currant.attempts;
drop table currant.outcomes;
drop table currant.parked;
drop table currant.running;
drop table currant.ready;
drop table currant.requests;
