-- $1 worker · $2 queues, or null for all of them · $3 how many · $4 how long, in milliseconds, a woken workflow is left to the worker that
-- keeps it in memory · $5 where executions of queues with limits lie that were chosen before, and locked, in this transaction · $6 the time at
-- which they were chosen; null is now · $7 queues, $8 priorities and $9 times: look there only, and from these times on; null looks everywhere
-- Answers at least one row: how many were found, in how many milliseconds the next one can be claimed, the queues and priorities in which
-- something waits, the queues with limits in which something waits, and each that was claimed; a worker without a lease finds none. Queues
-- with limits are only named: what of them may be claimed is chosen by choose.sql. The others pay nothing for that there are limits.
-- One ordered probe of the index per queue and priority: no queue is walked through for another's sake, and nothing that is not yet due.
-- No lock on workflows: who cancels locks those first, and ready after.
with recursive level as (
    -- From the lowest priority upwards, and in each from the newest row: the oldest ones are mostly dead, and a probe would walk past them all.
    select queue.name as queue, queue.paused, queue.limited,
           (select ready.priority
            from currant.ready
            where ready.queue = queue.name
            order by ready.priority, ready.run_at desc, ready.id desc
            limit 1) as priority
    from currant.queues queue
    where $7::text[] is null and ($2::text[] is null or queue.name = any ($2))
    union all
    select level.queue, level.paused, level.limited,
           (select ready.priority
            from currant.ready
            where ready.queue = level.queue and ready.priority > level.priority
            order by ready.priority, ready.run_at desc, ready.id desc
            limit 1)
    from level
    where level.priority is not null
), served as (
    select level.queue, level.paused, level.limited, level.priority, '-infinity'::timestamptz as since
    from level
    where level.priority is not null
    union all
    select known.queue, queue.paused, queue.limited, known.priority, known.since
    from unnest($7::text[], $8::smallint[], $9::timestamptz[]) as known (queue, priority, since)
    join currant.queues queue on queue.name = known.queue
), candidate as (
    -- Of a priority all queues have their turn: whoever has a million waiting does not keep the others waiting. Whose turn is first is drawn.
    select found.place, found.priority, found.run_at, found.id
    from (
        select due.*
        from served
        cross join lateral (
            select ready.ctid as place, ready.id, ready.priority, ready.run_at,
                   row_number() over (order by ready.run_at, ready.id) as turn
            from currant.ready
            where ready.queue = served.queue and ready.priority = served.priority
              and ready.run_at >= served.since and ready.run_at <= currant.now()
              and (ready.resident_on is null or ready.resident_on = $1
                   or ready.run_at <= currant.now() - $4::bigint * interval '1 ms')
            order by ready.run_at, ready.id
            limit $3
        ) as due
        where not served.paused and not served.limited
        union all
        -- A paused queue lets go on what has begun.
        select begun.*
        from (select distinct served.queue from served where served.paused and not served.limited) as paused
        cross join lateral (
            select ready.ctid as place, ready.id, ready.priority, ready.run_at,
                   row_number() over (order by ready.priority desc, ready.run_at, ready.id) as turn
            from currant.ready
            where ready.queue = paused.queue and ready.resumes and ready.run_at <= currant.now()
            order by ready.priority desc, ready.run_at, ready.id
            limit $3
        ) as begun
        union all
        select due.*
        from unnest($5::text[]) as chosen (place)
        cross join lateral (
            select ready.ctid as place, ready.id, ready.priority, ready.run_at, 1 as turn
            from currant.ready
            where ready.ctid = chosen.place::tid
            offset 0
        ) as due
    ) as found
    where exists (select from currant.worker_heartbeats worker where worker.id = $1 and worker.lease_until > currant.now())
    order by found.priority desc, found.turn, random()
    limit $3
), mine as (
    -- What another worker is taking at this moment is left to it. Where the row lies was just read, and once it is locked it stays there.
    select ready.ctid as place
    from currant.ready
    join candidate on candidate.place = ready.ctid
    for update of ready skip locked
), taken as (
    delete from currant.ready
    using mine
    where ready.ctid = mine.place
    returning ready.id, ready.run + 1 as run, ready.priority, ready.run_at, ready.attempt, ready.forgiven, ready.losses,
              ready.rate_limited, ready.progress, ready.deadline
), known as (
    select taken.*, request.function, request.queue, coalesce(workflow.input, request.input) as input, request.task_id,
           request.retry as request_retry, offered.retry as function_retry,
           coalesce(request.timeouts, offered.timeouts) as timeouts,
           coalesce(request.kind, offered.kind, case when workflow.digest is not null then 'workflow' end) as kind,
           coalesce(workflow.digest, offered.digest, request.digest) as digest,
           case when workflow.digest <> offered.digest or offered.digest is null then module.description ->> 'name'
                else offered.module end as module,
           case when workflow.digest is not null then workflow.environment end as environment,
           coalesce(workflow.chain, 1) as chain,
           request.parent_workflow_id, coalesce(request.trace_id, request.id) as trace_id, request.trace_context,
           workflow.cancel_requested_at is not null as cancel_requested,
           coalesce(workflow.next_arrival - 1, 0) as arrivals
    from taken
    join currant.requests request on request.id = taken.id
    left join currant.functions offered on offered.name = request.function
    -- `offset 0` makes the kind decide whether to look there at all.
    left join lateral (
        select * from currant.workflows where workflows.id = taken.id and request.kind is distinct from 'task' offset 0
    ) as workflow on true
    left join currant.modules module on module.digest = coalesce(workflow.digest, request.digest)
), fenced as (
    insert into currant.running
        (id, run, worker_id, attempt, forgiven, losses, rate_limited, digest, claimed_at, heartbeat_at, progress, deadline)
    select id, run, $1, attempt, forgiven, losses, rate_limited, digest, coalesce($6, currant.now()), currant.now(), progress,
           deadline
    from known
), limited as (
    -- A probe for each. As `exists` it could be planned as one reading of all that is due.
    select distinct served.queue
    from served
    cross join lateral (
        (select from currant.ready
         where ready.queue = served.queue and ready.priority = served.priority and ready.run_at <= currant.now()
           and not served.paused
         order by ready.run_at desc
         limit 1)
        union all
        (select from currant.ready
         where ready.queue = served.queue and ready.resumes and ready.run_at <= currant.now() and served.paused
         limit 1)
    ) as due
    where served.limited
), found as (
    select count(*) as candidates from candidate
)
select found.candidates,
       array(select limited.queue from limited) as limited,
       level.queues as level_queues, level.priorities as level_priorities,
       case when found.candidates < $3 then
           (select (extract(epoch from min(soon.at) - currant.now()) * 1000)::bigint
            from served
            cross join lateral (
                select case when ready.run_at > currant.now() then ready.run_at
                            else ready.run_at + $4::bigint * interval '1 ms' end as at
                from currant.ready
                where ready.queue = served.queue and ready.priority = served.priority and not served.paused
                  and ready.run_at > currant.now() - $4::bigint * interval '1 ms'
                  and (ready.run_at > currant.now() or ready.resident_on <> $1)
                order by ready.run_at, ready.id
                limit 1
            ) as soon)
       end as next_in_ms,
       known.*, coalesce($6::timestamptz, currant.now()) as claimed_at
from found
cross join (select array_agg(queue) as queues, array_agg(priority) as priorities from level where priority is not null) as level
-- A claim alone need not wait for the disk: one that a crash undoes is made again, and whatever its run writes makes it durable first. What
-- took tokens stays taken.
cross join (select case when $5::text[] is null then set_config('synchronous_commit', 'off', true) end) as in_no_hurry
left join known on true
order by known.priority desc, known.run_at, known.id;
