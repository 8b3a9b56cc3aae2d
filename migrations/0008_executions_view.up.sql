-- What people and tools read.

create view currant.executions as
select request.id,
       coalesce(request.task_id, request.id::text) as task_id,
       coalesce(outcome.kind, request.kind, offered.kind) as kind,
       request.function,
       request.queue,
       case
           when outcome.id is not null then outcome.status
           when running.id is not null then 'running'
           when ready.id is not null or parked.id is not null then 'pending'
           when workflow.waiting then 'suspended'
       end as status,
       parked.id is not null as parked,
       request.priority,
       coalesce(ready.run_at, parked.run_at, workflow.until) as run_at,
       coalesce(outcome.attempt, running.attempt, ready.attempt, workflow.attempt, 1) as attempt,
       request.input::jsonb as input,
       outcome.result::jsonb as result,
       outcome.failure::jsonb as failure,
       request.parent_workflow_id,
       coalesce(outcome.worker_id, running.worker_id) as worker_id,
       case when workflow.waiting then home.id end as resident_on,
       request.created_at,
       coalesce(outcome.started_at, running.claimed_at) as started_at,
       outcome.ended_at,
       coalesce(outcome.progress, running.progress, workflow.progress, ready.progress, parked.progress)::jsonb as progress,
       workflow.warning,
       coalesce(running.cancel_requested, false) or workflow.cancel_requested_at is not null as cancel_requested,
       encode(coalesce(outcome.digest, running.digest, workflow.digest), 'hex') as module,
       coalesce(outcome.chain, workflow.chain) as chain,
       request.concurrency_key,
       replace(coalesce(request.trace_id, request.id)::text, '-', '') as trace_id,
       substr(replace(request.id::text, '-', ''), 17) as span_id,
       request.trace_context::jsonb as trace_context,
       coalesce(request.tags, '{}') as tags
from currant.requests request
left join currant.outcomes outcome on outcome.id = request.id
left join currant.running running on running.id = request.id
left join currant.ready ready on ready.id = request.id
left join currant.parked parked on parked.id = request.id
left join currant.workflows workflow on workflow.id = request.id
left join currant.worker_heartbeats home on home.id = workflow.resident_on and home.lease_until > currant.now()
left join currant.functions offered on offered.name = request.function;
comment on view currant.executions is 'Every execution that is kept, with its status: pending, running, suspended, completed, failed, cancelled or timed_out.';

create function currant.status(id uuid) returns setof currant.executions
    language sql stable
as $$ select * from currant.executions where executions.id = status.id; $$;
comment on function currant.status(uuid) is 'The execution as it is now, without waiting; no row if there is none.';

create function currant.result(id uuid) returns table (status text, result json, failure json)
    language sql stable
as $$
    select currant.status_of(request.id), outcome.result, outcome.failure
    from currant.requests request
    left join currant.outcomes outcome on outcome.id = request.id
    where request.id = result.id;
$$;
comment on function currant.result(uuid) is 'The status, and the result or the failure if it has ended; without waiting. To wait, listen to currant_ended and poll behind it.';
