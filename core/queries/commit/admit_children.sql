-- $1 children that are new · $2 the delay of each, in milliseconds
select currant.admit(
    array_agg(child.id order by child.number),
    array_agg(currant.now() + child.delay_ms * interval '1 ms' order by child.number))
from unnest($1::uuid[], $2::bigint[]) with ordinality as child (id, delay_ms, number);
