drop function currant.unpark(bigint);
drop function currant.admit(uuid, timestamptz, integer, integer, integer, json);
drop function currant.end_unclaimed(uuid[], text, json);
drop function currant.close_workflows(uuid[]);
drop function currant.cancel_children(uuid[]);
drop function currant.announce(uuid[]);
drop function currant.announce_attached(uuid[]);
drop function currant.deliver(uuid[], uuid[], integer[], integer[]);
drop function currant.wake(uuid[]);
