-- $1 ids · $2 parents · $3 chains · $4 operations · $5 functions · $6 inputs · $7 detached · $8 queues · $9 priorities · $10 retry
-- policies · $11 timeouts · $12 keys · $13 concurrency keys · $14 tags as JSON arrays
-- Answers those that are new: a start that was committed before is the same row.
with child as (
    select asked.*, coalesce(offered.kind, former.function ->> 'kind') as kind,
           coalesce(asked.own_queue, offered.queue, former.function ->> 'queue', 'default') as queue,
           coalesce(asked.own_priority, offered.priority, (former.function ->> 'priority')::smallint, 0) as priority,
           coalesce(asked.retry, (former.function ->> 'retry')::json) as said_retry,
           coalesce(asked.timeouts, (former.function ->> 'timeouts')::json) as said_timeouts,
           former.digest
    from unnest($1::uuid[], $2::uuid[], $3::integer[], $4::integer[], $5::text[], $6::json[], $7::boolean[], $8::text[],
                $9::smallint[], $10::json[], $11::json[], $12::text[], $13::text[], $14::json[])
         as asked (id, parent, chain, operation, function, input, detached, own_queue, own_priority, retry, timeouts, task_id,
                   concurrency_key, tags)
    left join currant.functions offered on offered.name = asked.function
    -- What the current version of a module has no more runs on that of the workflow which calls it.
    left join lateral (
        select parent.digest, described.function
        from currant.running parent
        join currant.modules module on module.digest = parent.digest
        cross join lateral json_array_elements(module.description -> 'functions') as described (function)
        where offered.name is null and parent.id = asked.parent and described.function ->> 'name' = asked.function
    ) as former on true
    left join currant.keys key on key.task_id = asked.task_id
    where asked.task_id is null or key.execution_id = asked.id
), queues as (
    insert into currant.queues (name)
    select distinct queue from child
    where not exists (select from currant.queues known where known.name = child.queue)
    on conflict do nothing
), started as (
    insert into currant.requests
        (id, task_id, function, kind, queue, priority, input, retry, timeouts, parent_workflow_id, parent_chain,
         parent_operation, detached, digest, concurrency_key, tags, trace_id, trace_context)
    select child.id, child.task_id, child.function, child.kind, child.queue, child.priority, child.input,
           child.said_retry, child.said_timeouts, child.parent, child.chain, child.operation, child.detached, child.digest,
           child.concurrency_key,
           nullif(array(select json_array_elements_text(child.tags)), '{}'), coalesce(parent.trace_id, parent.id),
           parent.trace_context
    from child
    join currant.requests parent on parent.id = child.parent
    on conflict (id) do nothing
    returning id, kind
), opened as (
    insert into currant.workflows (id)
    select id from started where kind is distinct from 'task'
)
select id from started;
