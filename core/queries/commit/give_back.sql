-- $1 executions · $2 pauses in milliseconds · $3 how often they were rate-limited now · $4 the time of this commit
-- A task that was rate-limited does its work anew: it waits in its queue like one that has not begun, and takes a token again.
with back as (
    select * from unnest($1::uuid[], $2::bigint[], $3::smallint[]) as back (id, after_ms, limited)
), released as (
    delete from currant.running
    using back
    where running.id = back.id
    returning running.*, back.after_ms, back.limited
), readied as (
    insert into currant.ready
        (id, queue, priority, run_at, attempt, run, resumes, forgiven, losses, rate_limited, progress, deadline, expires_at,
         concurrency_key)
    select released.id, request.queue, request.priority, $4::timestamptz + released.after_ms * interval '1 ms', released.attempt,
           released.run, released.limited = 0 or workflow.id is not null, released.forgiven, released.losses, released.rate_limited + released.limited, released.progress,
           released.deadline, released.deadline, request.concurrency_key
    from released
    join currant.requests request on request.id = released.id
    left join currant.workflows workflow on workflow.id = released.id
    returning queue, priority
)
select pg_notify('currant_ready', queue || ' ' || priority) from (select distinct queue, priority from readied) as lines;
