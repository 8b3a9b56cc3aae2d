-- $1 executions · $2 statuses · $3 results · $4 failures · $5 the time of this commit. Answers those that are workflows.
with ending as (
    select ending.*, held.place
    from unnest($1::uuid[], $2::text[], $3::json[], $4::json[]) as ending (id, status, result, failure)
    -- A probe for each, whatever the planner believes of the table. The fence has locked them: they stay where they are.
    cross join lateral (select running.ctid as place from currant.running where running.id = ending.id offset 0) as held
), released as (
    delete from currant.running
    using ending
    where running.ctid = ending.place
    returning running.*, ending.status, ending.result, ending.failure
), ended as (
    insert into currant.outcomes
        (id, status, kind, result, failure, attempt, run, worker_id, digest, environment, chain, input, progress,
         started_at, ended_at)
    select released.id, released.status, coalesce(request.kind, offered.kind), released.result, released.failure,
           released.attempt, released.run, released.worker_id, released.digest, workflow.environment, workflow.chain,
           workflow.input, coalesce(workflow.progress, released.progress), released.claimed_at, $5::timestamptz
    from released
    join currant.requests request on request.id = released.id
    left join currant.functions offered on offered.name = request.function
    left join currant.workflows workflow on workflow.id = released.id
    returning id, chain
)
select id from ended where chain is not null;
