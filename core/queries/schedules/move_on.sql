-- $1 name · $2 the next time
update currant.schedules set next_at = $2 where name = $1;
