drop function currant.admit(uuid, timestamptz, integer, integer, integer, json);
drop function currant.end_unclaimed(uuid[], text, json);
drop function currant.close_workflows(uuid[]);
drop function currant.announce(uuid[]);
drop function currant.wake(uuid[]);
