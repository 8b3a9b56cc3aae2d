-- $1 duty · $2 for how long, in milliseconds
update currant.duties set busy_until = currant.now() + $2::bigint * interval '1 ms' where name = $1;
