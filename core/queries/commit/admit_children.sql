-- $1 children that are new · $2 the delay of each, in milliseconds
select currant.admit(child.id, currant.now() + child.delay_ms * interval '1 ms')
from unnest($1::uuid[], $2::bigint[]) as child (id, delay_ms);
