-- $1 ids · $2 function · $3 input. What enqueuing workflows writes.
with asked as (
    insert into currant.requests (id, function, kind, queue, priority, input)
    select id, $2, 'workflow', 'default', 0, $3::json
    from unnest($1::uuid[]) as id
), opened as (
    insert into currant.workflows (id) select id from unnest($1::uuid[]) as id
)
insert into currant.ready (id, queue, priority, run_at, attempt)
select id, 'default', 0, currant.now(), 1 from unnest($1::uuid[]) as id;
