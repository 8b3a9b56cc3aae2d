-- $1 ids · $2 input. What enqueuing tasks writes.
with asked as (
    insert into currant.requests (id, function, kind, queue, priority, input, trace_id, span_id)
    select id, 'noop', 'task', 'default', 0, $2::json, replace(id::text, '-', ''), left(md5(id::text), 16)
    from unnest($1::uuid[]) as id
)
insert into currant.ready (id, queue, priority, run_at, attempt)
select id, 'default', 0, currant.now(), 1 from unnest($1::uuid[]) as id;
