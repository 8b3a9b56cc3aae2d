-- All that workflows write which go on or suspend, in one statement.
-- Runs, in the order of their ids: $1 workflows · $2 runs · $3 when those were claimed · $4 whether it suspends · $5 when its earliest timer on
-- record is due · $6 the shortest timer of this commit, in milliseconds · $7 how many arrivals it has seen · $8 the worker that keeps it in
-- memory, or null · $9 component and $10 environment that it is pinned to from now on · $11 progress · $12 warnings
-- Journal entries: $13 workflows · $14 chains · $15 positions · $16 runs · $17 kinds · $18 operations · $19 names · $20 hashes · $21 bodies ·
-- $22 times; null is now · $23 workers · $24 checksums, without the times
-- What leaves the inbox: $25 workflows · $26 arrivals
-- Children: $27 ids · $28 parents · $29 chains · $30 operations · $31 functions · $32 inputs · $33 detached · $34 queues · $35 priorities ·
-- $36 retry policies · $37 timeouts · $38 delays in milliseconds · $39 keys · $40 concurrency keys · $41 tags as JSON arrays
-- Log lines: $42 executions · $43 runs · $44 lines · $45 times · $46 levels · $47 messages · $48 attributes
-- $49 how long to wait for a lock
-- Answers a row for each run that is still its worker's. When one is not, nothing is written: the others are to be written without it.
-- Whether there is news is known under the workflow's lock, by its row: every arrival is counted there. What statements before this one have
-- committed meanwhile is in the locked row, although this one does not see it otherwise. Probes throughout, whatever the planner believes of
-- the tables: a join could be planned to read all of one.
with patience as materialized (
    select set_config('lock_timeout', $49, true) as is_set
), locked as materialized (
    select mine.*, workflow.next_arrival - 1 as arrivals
    from unnest($1::uuid[], $2::integer[], $3::timestamptz[], $4::boolean[], $5::timestamptz[], $6::bigint[], $7::integer[], $8::uuid[],
                $9::bytea[], $10::bigint[], $11::json[], $12::text[])
         as mine (id, run, claimed_at, suspends, due, new_timer_ms, seen, resident_on, digest, environment, progress, warning)
    cross join lateral (
        select workflow.next_arrival
        from currant.workflows workflow
        where (select is_set from patience) is not null and workflow.id = mine.id
        for update
    ) as workflow
), fenced as materialized (
    select locked.*, run.attempt, run.forgiven, run.deadline
    from locked
    cross join lateral (
        select running.attempt, running.forgiven, running.deadline
        from currant.running
        -- Workflows are locked before runs are.
        where (select count(*) from locked) > 0
          and running.id = locked.id and running.run = locked.run and running.claimed_at = locked.claimed_at
        for update
    ) as run
), moment as materialized (
    -- After the locks, which may have taken long.
    select count(*) = cardinality($1) as all_held, currant.now_later() as at from fenced
), held as materialized (
    select fenced.*, moment.at, timer.until,
           fenced.suspends and fenced.arrivals <= fenced.seen and (timer.until is null or timer.until > moment.at) as sleeps
    from moment
    cross join fenced
    cross join lateral (select least(fenced.due, moment.at + fenced.new_timer_ms * interval '1 ms') as until) as timer
), appended as (
    insert into currant.journal (workflow_id, chain, position, run, kind, operation, name, hash, body, at, worker_id, sum)
    select entry.workflow_id, entry.chain, entry.position, entry.run, entry.kind, entry.operation, entry.name, entry.hash, entry.body,
           timed.at, entry.worker_id, entry.sum # ((extract(epoch from timed.at) * 1000000)::bigint % 2147483647)::integer
    from unnest($13::uuid[], $14::integer[], $15::integer[], $16::integer[], $17::text[], $18::integer[], $19::text[], $20::bytea[],
                $21::json[], $22::timestamptz[], $23::uuid[], $24::integer[])
         as entry (workflow_id, chain, position, run, kind, operation, name, hash, body, at, worker_id, sum)
    cross join lateral (select coalesce(entry.at, (select moment.at from moment)) as at) as timed
    where (select all_held from moment)
), delivered as (
    delete from currant.inbox
    using unnest($25::uuid[], $26::integer[]) as read (workflow_id, arrival)
    cross join lateral (
        select inbox.ctid as place from currant.inbox where inbox.workflow_id = read.workflow_id and inbox.arrival = read.arrival offset 0
    ) as found
    where inbox.ctid = found.place and (select all_held from moment)
), child as materialized (
    select asked.*, coalesce(offered.kind, former.function ->> 'kind') as kind,
           coalesce(asked.own_queue, offered.queue, former.function ->> 'queue', 'default') as queue,
           coalesce(asked.own_priority, offered.priority, (former.function ->> 'priority')::smallint, 0) as priority,
           coalesce(asked.own_retry, (former.function ->> 'retry')::json) as retry,
           coalesce(asked.own_timeouts, (former.function ->> 'timeouts')::json) as timeouts,
           former.digest, offered.name is not null or former.digest is not null as is_offered,
           start.run_at, limits.deadline, limits.expires_at
    from unnest($27::uuid[], $28::uuid[], $29::integer[], $30::integer[], $31::text[], $32::json[], $33::boolean[], $34::text[],
                $35::smallint[], $36::json[], $37::json[], $38::bigint[], $39::text[], $40::text[], $41::json[])
         as asked (id, parent, chain, operation, function, input, detached, own_queue, own_priority, own_retry, own_timeouts, delay_ms,
                   task_id, concurrency_key, tags)
    left join lateral (select * from currant.functions where functions.name = asked.function offset 0) as offered on true
    -- What the current version of a module has no more runs on that of the workflow which calls it.
    left join lateral (
        select parent.digest, described.function
        from (select running.digest from currant.running where running.id = asked.parent and offered.name is null offset 0) as parent
        cross join lateral (select * from currant.modules where modules.digest = parent.digest offset 0) as module
        cross join lateral json_array_elements(module.description -> 'functions') as described (function)
        where described.function ->> 'name' = asked.function
    ) as former on true
    cross join lateral (select moment.at + asked.delay_ms * interval '1 ms' as run_at from moment) as start
    cross join lateral currant.limits_of(
        coalesce(asked.own_timeouts, offered.timeouts, (former.function ->> 'timeouts')::json), start.run_at) as limits
    where (select all_held from moment)
      -- Another execution may stand for its key.
      and (asked.task_id is null
           or exists (select from currant.keys key where key.task_id = asked.task_id and key.execution_id = asked.id))
      -- A start that was committed before is the same execution.
      and not exists (select from currant.requests known where known.id = asked.id)
), named as (
    -- By a function: an insert would cost every commit what it takes to prepare a row of queues, although hardly ever one is missing.
    select count(currant.use_queue(missing.queue))
    from (select distinct queue from child where not exists (select from currant.queues known where known.name = child.queue)) as missing
), started as (
    insert into currant.requests
        (id, task_id, function, kind, queue, priority, input, retry, timeouts, parent_workflow_id, parent_chain,
         parent_operation, detached, digest, concurrency_key, tags, trace_id, trace_context)
    select child.id, child.task_id, child.function, child.kind, child.queue, child.priority, child.input, child.retry, child.timeouts,
           child.parent, child.chain, child.operation, child.detached, child.digest, child.concurrency_key,
           case when child.tags is not null then array(select json_array_elements_text(child.tags)) end, coalesce(parent.trace_id, parent.id), parent.trace_context
    from child
    cross join lateral (select * from currant.requests where requests.id = child.parent offset 0) as parent
), opened as (
    insert into currant.workflows (id, deadline) select id, deadline from child where kind is distinct from 'task'
), readied as (
    insert into currant.ready (id, queue, priority, run_at, attempt, deadline, expires_at, concurrency_key, rings)
    select id, queue, priority, run_at, 1, deadline, expires_at, concurrency_key,
           row_number() over (partition by queue, priority order by run_at) = 1
    from child
    where is_offered
), parked as (
    insert into currant.parked (id, function, run_at, attempt, run, forgiven, deadline, expires_at)
    select id, function, run_at, 1, 0, 0, deadline, expires_at from child where not is_offered
), logged as (
    insert into currant.logs (execution_id, run, line, at, level, message, attributes)
    select *
    from unnest($42::uuid[], $43::integer[], $44::integer[], $45::timestamptz[], $46::text[], $47::text[], $48::json[])
    where (select all_held from moment)
    on conflict do nothing
), released as (
    delete from currant.running
    where running.id = any (array(select held.id from held where held.sleeps)) and (select all_held from moment)
), changed as (
    -- There is a conflict always. It is found by a probe, and it meets the row as it is, not as this statement would see it.
    insert into currant.workflows as workflow
        (id, waiting, until, run, attempt, forgiven, deadline, resident_on, digest, environment, progress, warning)
    select id, sleeps, case when sleeps then until end, run, attempt, forgiven, deadline, case when sleeps then resident_on end, digest,
           coalesce(environment, 0), progress, warning
    from held
    where (select all_held from moment) and (sleeps or digest is not null or progress is not null or warning is not null)
    on conflict (id) do update
    set waiting = excluded.waiting, until = excluded.until, run = excluded.run, attempt = excluded.attempt, forgiven = excluded.forgiven,
        losses = case when excluded.waiting then 0 else workflow.losses end, deadline = excluded.deadline,
        resident_on = excluded.resident_on,
        -- A pin stands once it is set.
        digest = coalesce(workflow.digest, excluded.digest),
        environment = case when workflow.digest is null then excluded.environment else workflow.environment end,
        progress = coalesce(excluded.progress, workflow.progress),
        warning = coalesce(workflow.warning || E'\n' || excluded.warning, excluded.warning, workflow.warning)
)
select held.id, held.sleeps, held.arrivals, held.at from held cross join named;
