-- $1 duty
update currant.duties set busy_until = currant.now(), done_at = currant.now() where name = $1;
