-- $1 task · $2 its run. Its end, and a notification of it.
with released as (
    delete from currant.running
    where running.id = $1 and running.run = $2
    returning running.id, running.attempt, running.run, running.worker_id, running.digest, running.claimed_at
), ended as (
    insert into currant.outcomes (id, status, kind, result, attempt, run, worker_id, digest, started_at)
    select id, 'completed', 'task', 'null', attempt, run, worker_id, digest, claimed_at from released
    returning id
)
select pg_notify('currant_bench_ended', id::text) from ended;
