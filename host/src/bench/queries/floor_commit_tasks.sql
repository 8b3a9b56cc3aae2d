-- $1 workflows · $2 positions · $3 runs · $4 kinds · $5 operations · $6 names · $7 bodies: journal entries
-- $8 component · $9 workflows that end
-- $10 children that start · $11 their parents · $12 their operations: the parents suspend
-- $13 workflows that have read · $14 this arrival
-- $15 tasks that end · $16 their parents · $17 their operations: their parents are woken
with appended as (
    insert into currant.journal (workflow_id, chain, position, run, sum, kind, operation, name, body, at)
    select entry.workflow_id, 1, entry.position, entry.run, 0, entry.kind, entry.operation, entry.name, entry.body, currant.now()
    from unnest($1::uuid[], $2::integer[], $3::integer[], $4::text[], $5::integer[], $6::text[], $7::json[])
         as entry (workflow_id, position, run, kind, operation, name, body)
), started as (
    insert into currant.requests
        (id, function, kind, queue, priority, input, parent_workflow_id, parent_chain, parent_operation, trace_id)
    select child.id, 'noop', 'task', 'default', 0, 'null', child.parent, 1, child.operation, child.parent
    from unnest($10::uuid[], $11::uuid[], $12::integer[]) as child (id, parent, operation)
), suspended as (
    update currant.workflows workflow
    set waiting = true, run = child.operation, digest = $8
    from unnest($11::uuid[], $12::integer[]) as child (parent, operation)
    where workflow.id = child.parent
), delivered as (
    delete from currant.inbox
    using unnest($13::uuid[], $14::integer[]) as seen (workflow_id, arrival)
    where inbox.workflow_id = seen.workflow_id and inbox.arrival = seen.arrival
), told as (
    insert into currant.inbox (workflow_id, arrival, kind, chain, operation, result)
    select done.parent, done.operation, 'completion', 1, done.operation, 'null'
    from unnest($16::uuid[], $17::integer[]) as done (parent, operation)
), woken as (
    update currant.workflows workflow
    set waiting = false, next_arrival = done.operation + 1
    from unnest($16::uuid[], $17::integer[]) as done (parent, operation)
    where workflow.id = done.parent
), readied as (
    insert into currant.ready (id, queue, priority, run_at, attempt, run, resumes)
    select child.id, 'default', 0, currant.now(), 1, 0, false from unnest($10::uuid[]) as child (id)
    union all
    select done.parent, 'default', 0, currant.now(), 1, done.operation, true
    from unnest($16::uuid[], $17::integer[]) as done (parent, operation)
), closed as (
    delete from currant.workflows using unnest($9::uuid[]) as ending (id) where workflows.id = ending.id
), paused as (
    delete from currant.running using unnest($11::uuid[]) as suspending (id) where running.id = suspending.id
), released as (
    delete from currant.running
    using (select unnest($9::uuid[]) as id, 'workflow' as kind union all select unnest($15::uuid[]), 'task') as ending
    where running.id = ending.id
    returning running.id, ending.kind, running.attempt, running.run, running.worker_id, running.digest, running.claimed_at
)
insert into currant.outcomes (id, status, kind, result, attempt, run, worker_id, digest, environment, chain, started_at)
select id, 'completed', kind, 'null', attempt, run, worker_id, digest, case kind when 'workflow' then 0 end,
       case kind when 'workflow' then 1 end, claimed_at
from released;
