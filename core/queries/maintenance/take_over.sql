-- $1 executions that seemed lost · $2 losses in a row that end one · $3 the failure
-- Looked at again under the lock: another may have taken them over, or a worker ended them. A run that appended to its journal made
-- progress: its losses start anew. Answers those that failed.
with lost as (
    select running.id
    from currant.running
    left join currant.worker_heartbeats worker on worker.id = running.worker_id and worker.lease_until > currant.now()
    where running.id = any ($1::uuid[]) and worker.id is null
    order by running.id
    for update of running
), released as (
    delete from currant.running
    using lost
    where running.id = lost.id
    returning running.*
), counted as (
    select released.*, coalesce(request.kind, offered.kind) as kind, request.queue, request.priority, request.concurrency_key,
           workflow.environment, workflow.chain, workflow.input as chain_input, workflow.progress as published,
           case when last.run = released.run then 1 else released.losses + 1 end as lost_in_a_row
    from released
    join currant.requests request on request.id = released.id
    left join currant.functions offered on offered.name = request.function
    left join currant.workflows workflow on workflow.id = released.id
    left join lateral (
        select journal.run
        from currant.journal
        where journal.workflow_id = workflow.id and journal.chain = workflow.chain
        order by journal.position desc
        limit 1
    ) as last on true
), kept as (
    insert into currant.attempts (id, run, attempt, failure, worker_id, progress, started_at)
    select id, run, attempt, json_build_object('code', 'worker-lost', 'message', 'its worker was lost', 'retryable', true),
           worker_id, progress, claimed_at
    from counted
    where lost_in_a_row < $2 and not cancel_requested
), readied as (
    insert into currant.ready
        (id, queue, priority, run_at, attempt, run, resumes, forgiven, losses, rate_limited, progress, deadline, expires_at,
         concurrency_key)
    select id, queue, priority, currant.now(), attempt, run, true, forgiven, lost_in_a_row, rate_limited, progress, deadline,
           deadline, concurrency_key
    from counted
    where lost_in_a_row < $2 and not cancel_requested
    returning queue, priority
), hinted as (
    select count(pg_notify('currant_ready', queue || ' ' || priority)) from (select distinct queue, priority from readied) as lines
), ended as (
    insert into currant.outcomes
        (id, status, kind, failure, attempt, run, worker_id, digest, environment, chain, input, progress, started_at)
    select id, case when cancel_requested then 'cancelled' else 'failed' end, kind,
           case when cancel_requested
                then json_build_object('code', 'cancelled', 'message', 'its worker was lost after its cancellation was requested',
                                       'retryable', false)
                else $3 end,
           attempt, run, worker_id, digest, environment, chain, chain_input, coalesce(published, progress), claimed_at
    from counted
    where lost_in_a_row >= $2 or cancel_requested
    returning id
)
select ended.id from ended where (select count(*) from hinted) >= 0;
