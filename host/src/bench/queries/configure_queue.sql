-- $1 queue · $2 whether it is paused
select currant.configure_queue($1, $2);
