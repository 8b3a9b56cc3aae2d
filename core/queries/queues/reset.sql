-- $1 queue · $2 settings, or null for all of them
select currant.reset_queue($1, $2);
