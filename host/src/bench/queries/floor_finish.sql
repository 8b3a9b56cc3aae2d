-- $1 tasks · $2 their runs. The rows of their ends.
with released as (
    delete from currant.running
    using unnest($1::uuid[], $2::integer[]) as mine (id, run)
    where running.id = mine.id and running.run = mine.run
    returning running.id, running.attempt, running.run, running.worker_id, running.digest, running.claimed_at
)
insert into currant.outcomes (id, status, kind, result, attempt, run, worker_id, digest, started_at)
select id, 'completed', 'task', 'null', attempt, run, worker_id, digest, claimed_at from released;
