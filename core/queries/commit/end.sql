-- All that is written when executions end, in one statement, except what becomes of open children, and who waits under a key.
-- Executions, in the order of their ids: $1 ids · $2 runs · $3 when those were claimed · $4 statuses · $5 results · $6 failures
-- $7 the workflows among them, and the workflows that started them: whose rows are written
-- Journal entries: $8 workflows · $9 chains · $10 positions · $11 runs · $12 kinds · $13 operations · $14 names · $15 hashes · $16 bodies ·
-- $17 times; null is now · $18 workers · $19 checksums, without the times
-- Log lines: $20 executions · $21 runs · $22 lines · $23 times · $24 levels · $25 messages · $26 attributes
-- $27 how long to wait for a lock
-- Answers those that are written: the others are no longer their worker's. As in `decide`, what is true of a workflow is known under its lock,
-- and there are probes throughout. What others have inserted while this statement waited for locks, functions see.
with patience as materialized (
    select set_config('lock_timeout', $27, true) as is_set
), concerned as materialized (
    select workflow.id
    from (select * from unnest($7::uuid[]) as concerned (id) order by id) as mine
    cross join lateral (
        select workflow.id
        from currant.workflows workflow
        where (select is_set from patience) is not null and workflow.id = mine.id
        for update
    ) as workflow
), held as materialized (
    select run.id
    from unnest($1::uuid[], $2::integer[], $3::timestamptz[]) as ending (id, run, claimed_at)
    cross join lateral (
        select running.id
        from currant.running
        -- Workflows are locked before runs are.
        where (select is_set from patience) is not null and (select count(*) from concerned) >= 0
          and running.id = ending.id and running.run = ending.run and running.claimed_at = ending.claimed_at
        for update
    ) as run
), moment as materialized (
    -- After the locks, which may have taken long.
    select currant.now_later() as at from (select count(*) from held) as all_held
), released as (
    delete from currant.running
    where running.id = any (array(select held.id from held))
    returning running.*, array_position($1, running.id) as number
), appended as (
    insert into currant.journal (workflow_id, chain, position, run, kind, operation, name, hash, body, at, worker_id, sum)
    select entry.workflow_id, entry.chain, entry.position, entry.run, entry.kind, entry.operation, entry.name, entry.hash, entry.body,
           timed.at, entry.worker_id, entry.sum # ((extract(epoch from timed.at) * 1000000)::bigint % 2147483647)::integer
    from unnest($8::uuid[], $9::integer[], $10::integer[], $11::integer[], $12::text[], $13::integer[], $14::text[], $15::bytea[],
                $16::json[], $17::timestamptz[], $18::uuid[], $19::integer[])
         as entry (workflow_id, chain, position, run, kind, operation, name, hash, body, at, worker_id, sum)
    cross join lateral (select coalesce(entry.at, (select moment.at from moment)) as at) as timed
    where entry.workflow_id = any (array(select held.id from held))
), logged as (
    insert into currant.logs (execution_id, run, line, at, level, message, attributes)
    select line.*
    from unnest($20::uuid[], $21::integer[], $22::integer[], $23::timestamptz[], $24::text[], $25::text[], $26::json[])
         as line (id, run, line, at, level, message, attributes)
    where line.id = any (array(select held.id from held))
    on conflict do nothing
), ending as materialized (
    select released.id, ($4::text[])[released.number] as status, ($5::json[])[released.number] as result,
           ($6::json[])[released.number] as failure, released.attempt, released.run, released.worker_id, released.digest,
           released.claimed_at, moment.at, coalesce(workflow.progress, released.progress) as progress, workflow.environment,
           workflow.chain, workflow.input, request.parent_workflow_id, request.parent_chain, request.parent_operation,
           coalesce(request.kind, (select offered.kind from currant.functions offered where offered.name = request.function)) as kind
    from moment
    cross join released
    cross join lateral (select * from currant.requests where requests.id = released.id offset 0) as request
    left join lateral (
        select * from currant.workflows where workflows.id = released.id and request.kind is distinct from 'task' offset 0
    ) as workflow on true
), ended as (
    insert into currant.outcomes
        (id, status, kind, result, failure, attempt, run, worker_id, digest, environment, chain, input, progress, started_at, ended_at)
    select id, status, kind, result, failure, attempt, run, worker_id, digest, environment, chain, input, progress, claimed_at, at
    from ending
    returning id
), closing as materialized (
    select array_agg(ending.id) as ids, array_agg(ending.id) filter (where ending.status = 'completed') as completed
    from ending
    where ending.chain is not null
), closed as (
    delete from currant.workflows where workflows.id = any ((select ids from closing)::uuid[])
), parent as materialized (
    -- Locked once more, since that shows the row as it is. Who ends too is told nothing.
    select ending.parent_workflow_id as id, ending.id as child, ending.parent_chain as chain, ending.parent_operation as operation,
           ending.result, ending.failure, ending.at, workflow.id is not null as is_told, workflow.next_arrival, workflow.waiting,
           workflow.run, workflow.attempt, workflow.forgiven, workflow.losses, workflow.deadline, workflow.resident_on,
           row_number() over (partition by ending.parent_workflow_id, workflow.id is not null order by ending.parent_operation) as rank
    from ending
    left join lateral (
        select workflow.id, workflow.next_arrival, workflow.waiting, workflow.run, workflow.attempt, workflow.forgiven,
               workflow.losses, workflow.deadline, workflow.resident_on
        from currant.workflows workflow
        where workflow.id = ending.parent_workflow_id and workflow.chain = ending.parent_chain
        for update
    ) as workflow on true
    where ending.parent_workflow_id is not null
      and ending.parent_workflow_id <> all (coalesce((select ids from closing), '{}')::uuid[])
), told as (
    insert into currant.inbox (workflow_id, arrival, kind, chain, operation, result, failure, at)
    select id, next_arrival + rank - 1, 'completion', chain, operation, result, failure, at from parent where is_told
), counted as (
    -- As in `decide`.
    insert into currant.workflows as workflow (id, next_arrival)
    select id, count(*)::integer from parent where is_told group by id
    on conflict (id) do update
    set next_arrival = workflow.next_arrival + excluded.next_arrival, waiting = false, until = null
), readied as (
    insert into currant.ready
        (id, queue, priority, run_at, attempt, run, resumes, forgiven, losses, deadline, expires_at, concurrency_key, resident_on, rings)
    select woken.id, request.queue, request.priority, woken.at, woken.attempt, woken.run, true, woken.forgiven, woken.losses,
           woken.deadline, woken.deadline, request.concurrency_key, woken.resident_on,
           row_number() over (partition by request.queue, request.priority) = 1
    from parent as woken
    cross join lateral (select * from currant.requests where requests.id = woken.id offset 0) as request
    where woken.is_told and woken.waiting and woken.rank = 1
), late as (
    -- Most of these workflows have ended before; one may have been retried meanwhile.
    select currant.announce_to_parents(coalesce(array_agg(parent.child), '{}'))
    from parent
    where not parent.is_told and (select count(*) from ended) > 0
), unread as (
    select currant.forget_news(completed) from closing
), hinted as (
    -- Only what no workflow started is waited for from outside.
    select currant.hint_ended(coalesce(array_agg(ending.id), '{}')) from ending where ending.parent_workflow_id is null
)
select ending.id, ending.chain is not null as is_workflow, ending.at from ending cross join late cross join unread cross join hinted;
