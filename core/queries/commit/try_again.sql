-- $1 executions · $2 failures · $3 pauses in milliseconds · $4 the time of this commit
with failed as (
    select * from unnest($1::uuid[], $2::json[], $3::bigint[]) as failed (id, failure, after_ms)
), released as (
    delete from currant.running
    using failed
    where running.id = failed.id
    returning running.*, failed.failure, failed.after_ms
), kept as (
    insert into currant.attempts (id, run, attempt, failure, worker_id, progress, started_at, ended_at)
    select id, run, attempt, failure, worker_id, progress, claimed_at, $4::timestamptz from released
), counted as (
    update currant.workflows workflow
    set attempt = released.attempt + 1
    from released
    where workflow.id = released.id
)
insert into currant.ready
    (id, queue, priority, run_at, attempt, run, forgiven, rate_limited, progress, deadline, expires_at, concurrency_key)
select released.id, request.queue, request.priority, $4 + released.after_ms * interval '1 ms', released.attempt + 1,
       released.run, released.forgiven, released.rate_limited, released.progress, released.deadline, released.deadline,
       request.concurrency_key
from released
join currant.requests request on request.id = released.id;
