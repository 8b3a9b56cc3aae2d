-- $1 id · $2 input. A task, and a notification of it.
with asked as (
    insert into currant.requests (id, function, kind, queue, priority, input)
    values ($1, 'noop', 'task', 'default', 0, $2::json)
), readied as (
    insert into currant.ready (id, queue, priority, run_at, attempt)
    values ($1, 'default', 0, currant.now(), 1)
    returning queue
)
select pg_notify('currant_bench_ready', queue) from readied;
