-- $1 ids · $2 input. What enqueuing tasks writes.
with asked as (
    insert into currant.requests (id, function, kind, queue, priority, input)
    select id, 'noop', 'task', 'default', 0, $2::json
    from unnest($1::uuid[]) as id
)
insert into currant.ready (id, queue, priority, run_at, attempt)
select id, 'default', 0, currant.now(), 1 from unnest($1::uuid[]) as id;
