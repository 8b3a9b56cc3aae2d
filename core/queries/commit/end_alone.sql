-- $1 tasks · $2 their runs · $3 when those were claimed · $4 statuses · $5 results · $6 failures · $7 how long to wait for a lock
-- The whole end of tasks that concern no workflow: the fence, the outcomes, and a hint to clients, in one statement. Answers those that are
-- written. They are given in the order of their ids, and so they are locked, like everybody's. By one probe after the other, whatever the
-- planner believes of the table; a join could be planned as a reading of all of it for each.
with patience as materialized (
    select set_config('lock_timeout', $7, true) as is_set
), held as (
    select locked.id
    from unnest($1::uuid[], $2::integer[], $3::timestamptz[]) as ending (id, run, claimed_at)
    cross join lateral (
        select running.id
        from currant.running
        where (select is_set from patience) is not null
          and running.id = ending.id and running.run = ending.run and running.claimed_at = ending.claimed_at
        for update
    ) as locked
), released as (
    delete from currant.running
    where running.id = any (array(select held.id from held))
    returning running.*, array_position($1, running.id) as number
), ended as (
    insert into currant.outcomes
        (id, status, kind, result, failure, attempt, run, worker_id, digest, progress, started_at)
    select id, ($4::text[])[number], 'task', ($5::json[])[number], ($6::json[])[number], attempt, run, worker_id, digest, progress,
           claimed_at
    from released
    returning id, ended_at
), hinted as (
    select currant.hint_ended(coalesce(array_agg(id), '{}')) from ended
)
select ended.id, ended.ended_at as at from ended cross join hinted;
