drop table currant.journal;
drop table currant.waiters;
drop table currant.signal_keys;
drop table currant.inbox;
drop table currant.workflows;
