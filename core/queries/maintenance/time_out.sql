-- $1 executions that seemed overdue · $2 the failure. Looked at again: a worker may have claimed them meanwhile.
with unclaimed as (
    select id from currant.ready where id = any ($1::uuid[]) and expires_at <= currant.now() order by id for update
), unparked as (
    select id from currant.parked where id = any ($1::uuid[]) and expires_at <= currant.now() order by id for update
), waiting as (
    select id from currant.workflows where id = any ($1::uuid[]) and deadline <= currant.now() and waiting
), overdue as (
    select id from unclaimed union all select id from unparked union all select id from waiting
), gathered as (
    select coalesce(array_agg(id order by id), '{}') as ids from overdue
)
select cardinality(ids)::bigint
from gathered
left join lateral (select currant.end_unclaimed(ids, 'timed_out', $2::json) where cardinality(ids) > 0) as ended on true;
