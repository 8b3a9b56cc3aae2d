-- $1 name · $2 whether it is paused · $3 the next time
update currant.schedules set paused = $2, next_at = $3 where name = $1;
