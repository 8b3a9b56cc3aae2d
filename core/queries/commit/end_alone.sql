-- $1 tasks · $2 their runs · $3 when those were claimed · $4 statuses · $5 results · $6 failures
-- The whole end of tasks that concern no workflow: the fence, the outcomes, and a hint to clients, in one statement. Answers those that are
-- written. They are given in the order of their ids, and so they are deleted, and locked, in that order, like everybody's: the plan probes
-- for one after the other.
with released as (
    delete from currant.running
    using unnest($1::uuid[], $2::integer[], $3::timestamptz[], $4::text[], $5::json[], $6::json[])
          as ending (id, run, claimed_at, status, result, failure)
    where running.id = ending.id and running.run = ending.run and running.claimed_at = ending.claimed_at
    returning running.*, ending.status, ending.result, ending.failure
), ended as (
    insert into currant.outcomes
        (id, status, kind, result, failure, attempt, run, worker_id, digest, progress, started_at)
    select id, status, 'task', result, failure, attempt, run, worker_id, digest, progress, claimed_at
    from released
    returning id, ended_at
), hinted as (
    select currant.hint_ended(array_agg(id)) from ended
)
select ended.id, ended.ended_at as at from ended cross join hinted;
