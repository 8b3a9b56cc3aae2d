-- $1 tasks · $2 their runs · $3 when those were claimed · $4 statuses · $5 results · $6 failures
-- The whole end of tasks that concern no workflow: the fence, the outcomes, and a hint to clients, in one statement. Answers those that are
-- written. Locked in the order of the ids, like everybody.
with held as (
    select running.id, ending.status, ending.result, ending.failure
    from currant.running
    join unnest($1::uuid[], $2::integer[], $3::timestamptz[], $4::text[], $5::json[], $6::json[])
         as ending (id, run, claimed_at, status, result, failure)
      on ending.id = running.id and ending.run = running.run and ending.claimed_at = running.claimed_at
    order by running.id
    for update of running
), released as (
    delete from currant.running
    using held
    where running.id = held.id
    returning running.*, held.status, held.result, held.failure
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
