-- Transitions that clients and workers share. Each is called with its locks taken in the one order that everybody keeps:
-- keys → workflows (by id) → running (by id) → the rest.

-- A transaction that notifies holds a lock of the whole server until its commit is on disk: if all did, no two could commit together, and
-- the server would make a commit per write of the disk instead of many. So whoever finds another one at it keeps silent. That one's
-- notification may come before this commit: after a hint workers look more than once.
create function currant.ring() returns trigger
    language plpgsql volatile
as $$
declare
    class constant integer := hashtext('currant.ring');
    line constant text := new.queue || ' ' || new.priority;
begin
    if pg_try_advisory_xact_lock(class, hashtext(line)) then
        perform pg_notify('currant_ready', line);
    end if;
    return null;
end;
$$;
comment on function currant.ring() is 'Tells workers that something of a priority became ready in a queue, unless another transaction is telling them.';

-- At the commit: until then nobody could find what became ready, and a caller''s transaction may take its time.
create constraint trigger ring after insert on currant.ready deferrable initially deferred
    for each row when (new.rings) execute function currant.ring();

-- Draws the numbers of news that the caller is about to write, news[n] of them for workflow_ids[n], and wakes those that wait. One update
-- for both: it is the most frequent one that there is. In PL/pgSQL, which keeps its plans: a function in SQL is planned anew at each call,
-- which takes longer than this runs.
create function currant.wake(workflow_ids uuid[], news integer[]) returns table (workflow_id uuid, first_arrival integer)
    language plpgsql volatile
as $$
#variable_conflict use_column
begin
    return query
    with before as materialized (
        -- Whether it waits is known only under its lock.
        select id, waiting from currant.workflows where id = any (workflow_ids) order by id for update
    ), told as (
        update currant.workflows workflow
        set next_arrival = workflow.next_arrival + counted.news, waiting = false, until = null
        from unnest(workflow_ids, news) as counted (id, news)
        join before on before.id = counted.id
        where workflow.id = counted.id
        returning workflow.id, workflow.next_arrival - counted.news as first_arrival, before.waiting as waited, workflow.run,
                  workflow.attempt, workflow.forgiven, workflow.losses, workflow.deadline, workflow.resident_on
    ), readied as (
        insert into currant.ready
            (id, queue, priority, run_at, attempt, run, resumes, forgiven, losses, deadline, expires_at, concurrency_key,
             resident_on, rings)
        select told.id, request.queue, request.priority, currant.now(), told.attempt, told.run, true, told.forgiven,
               told.losses, told.deadline, told.deadline, request.concurrency_key, told.resident_on,
               row_number() over (partition by request.queue, request.priority) = 1
        from told
        join currant.requests request on request.id = told.id
        where told.waited
    )
    select told.id, told.first_arrival from told;
end;
$$;
comment on function currant.wake(uuid[], integer[]) is
    'Draws arrival numbers and puts waiting workflows into ready; those that are not waiting will look into their inbox before they suspend. Eight wakers at once make one row.';

-- Writes the ends of executions into inboxes. The n-th end is that of ended[n], and goes to operation operations[n] of workflow_ids[n].
create function currant.deliver(ended uuid[], workflow_ids uuid[], chains integer[], operations integer[]) returns void
    language plpgsql volatile
as $$
begin
    -- In a statement of its own: the next one must see what others wrote before they let go of these locks.
    perform from currant.workflows where id = any (workflow_ids) order by id for update;

    with news as (
        select interest.*, row_number() over (partition by interest.workflow_id order by interest.number) as rank
        from unnest(ended, workflow_ids, chains, operations) with ordinality
             as interest (id, workflow_id, chain, operation, number)
        join currant.workflows workflow on workflow.id = interest.workflow_id and workflow.chain = interest.chain
    ), counted as (
        select array_agg(workflow_id) as ids, array_agg(count) as counts
        from (select workflow_id, count(*)::integer from news group by workflow_id) as per_workflow
    )
    insert into currant.inbox (workflow_id, arrival, kind, chain, operation, result, failure, at)
    select news.workflow_id, drawn.first_arrival + news.rank - 1, 'completion', news.chain, news.operation,
           outcome.result, outcome.failure, outcome.ended_at
    from counted
    cross join lateral currant.wake(counted.ids, counted.counts) as drawn
    join news on news.workflow_id = drawn.workflow_id
    join currant.outcomes outcome on outcome.id = news.id;
end;
$$;
comment on function currant.deliver(uuid[], uuid[], integer[], integer[]) is
    'News of ended executions for the workflows that wait for them: an inbox row each, and a wake.';

-- Tells the workflows that wait under a task_id for executions which somebody else started. Their outcomes are written.
create function currant.announce_attached(ended uuid[]) returns void
    language plpgsql volatile
as $$
declare
    ids uuid[];
    workflow_ids uuid[];
    chains integer[];
    operations integer[];
begin
    -- Before the rows that their ends delete.
    perform from currant.workflows
    where workflows.id in (select waiter.workflow_id from currant.waiters waiter where waiter.target_id = any (ended))
    order by workflows.id
    for update;

    with attached as (
        delete from currant.waiters
        where target_id = any (ended)
          -- One that ended itself is told if it is retried.
          and exists (select from currant.workflows workflow where workflow.id = waiters.workflow_id)
        returning target_id, workflow_id, chain, operation
    )
    select array_agg(target_id), array_agg(workflow_id), array_agg(chain), array_agg(operation)
    into ids, workflow_ids, chains, operations
    from attached;
    if ids is not null then
        perform currant.deliver(ids, workflow_ids, chains, operations);
    end if;
end;
$$;
comment on function currant.announce_attached(uuid[]) is
    'Delivers the end of these executions to the workflows that are attached to them.';

-- In few notifications: each costs, and everybody who listens is woken for it. A payload holds some 200 ids.
create function currant.hint_ended(ended uuid[]) returns void
    language plpgsql volatile
as $$
begin
    for start in 1 .. cardinality(ended) by 200 loop
        perform pg_notify('currant_ended', array_to_string(ended[start : start + 199], ','));
    end loop;
end;
$$;
comment on function currant.hint_ended(uuid[]) is 'Hints to clients that these executions, which no workflow started, have ended.';

-- In PL/pgSQL, which looks anew for each statement: also for a workflow that was retried while the calling statement waited for a lock, and
-- that this one does not see.
create function currant.announce_to_parents(ended uuid[]) returns void
    language plpgsql volatile
as $$
declare
    children uuid[];
    parents uuid[];
    chains integer[];
    operations integer[];
begin
    select array_agg(id order by number), array_agg(parent_workflow_id order by number), array_agg(parent_chain order by number),
           array_agg(parent_operation order by number)
    into children, parents, chains, operations
    from unnest(ended) with ordinality as ending (ended_id, number)
    -- `offset 0` keeps this a probe for each: as a join it could be planned over the index of all children that there are.
    cross join lateral (select * from currant.requests where requests.id = ending.ended_id offset 0) as request
    where request.parent_workflow_id is not null;
    if children is not null then
        perform currant.deliver(children, parents, chains, operations);
    end if;
end;
$$;
comment on function currant.announce_to_parents(uuid[]) is
    'Writes the end of these executions into the inboxes of the workflows that started them, if those are open, and wakes them.';

-- Tells everybody who waits for these executions that they ended. Their outcomes are written.
create function currant.announce(ended uuid[]) returns void
    language plpgsql volatile
as $$
begin
    perform currant.announce_to_parents(ended);
    perform currant.announce_attached(ended);
    -- Only what no workflow started is waited for from outside.
    perform currant.hint_ended(array(
        select request.id
        from unnest(ended) as ended_id
        cross join lateral (select * from currant.requests where requests.id = ended_id offset 0) as request
        where request.parent_workflow_id is null));
end;
$$;
comment on function currant.announce(uuid[]) is
    'Writes the end of these executions into the inboxes of the workflows that wait for them and wakes those; hints to clients that wait for a result.';

-- `offset 0` keeps the children a probe of the index for each: as a join, planned while the tables were small, it would go on to read every
-- child that there has ever been.
create function currant.family_of(roots uuid[]) returns setof uuid
    language plpgsql stable
as $$
begin
    return query
    with recursive family as (
        select unnest(roots) as id
        union
        select child.id
        from family
        cross join lateral (
            select request.id
            from currant.requests request
            where request.parent_workflow_id = family.id and not request.detached
              and not exists (select from currant.outcomes outcome where outcome.id = request.id)
            offset 0
        ) as child
    )
    select family.id from family;
end;
$$;
comment on function currant.family_of(uuid[]) is 'These executions, and their open children that are not detached, and so on downwards.';

-- In the order of their ids, like everybody. A child workflow may start children of its own until it is locked; who locked those as well,
-- later, would not keep the order: so all is let go, and locked anew.
create function currant.lock_family(written uuid[], ending uuid[]) returns void
    language plpgsql volatile
as $$
declare
    family uuid[];
    locked uuid[];
begin
    loop
        begin
            family := array(select currant.family_of(ending));
            locked := array(
                select workflow.id
                from currant.workflows workflow
                where workflow.id in (
                    select unnest(written)
                    union
                    select unnest(family)
                    union
                    select request.parent_workflow_id from currant.requests request where request.id = any (family)
                    union
                    select waiter.workflow_id from currant.waiters waiter where waiter.target_id = any (family)
                )
                order by workflow.id
                for update);
            perform from currant.family_of(ending) as member (id)
            join currant.workflows workflow on workflow.id = member.id
            where member.id <> all (locked);
            exit when not found;
            raise exception 'the family has grown' using errcode = 'CU999';
        exception when sqlstate 'CU999' then
            null;
        end;
    end loop;
end;
$$;
comment on function currant.lock_family(uuid[], uuid[]) is
    'Locks the workflows that are written, and those that end with all their open children, whose parents and waiters are told.';

create function currant.forget_news(completed uuid[]) returns void
    language plpgsql volatile
as $$
begin
    if completed is not null then
        delete from currant.inbox where inbox.workflow_id = any (completed);
        delete from currant.waiters where waiters.workflow_id = any (completed);
    end if;
end;
$$;
comment on function currant.forget_news(uuid[]) is 'Deletes what workflows that completed have not read, and what they wait for under a key. Their rows are locked.';

create function currant.cancel_children(workflow_ids uuid[]) returns void
    language plpgsql volatile
as $$
declare
    child uuid;
begin
    for child in
        select request.id
        from currant.requests request
        where request.parent_workflow_id = any (workflow_ids)
          and not request.detached
          and not exists (select from currant.outcomes outcome where outcome.id = request.id)
          -- Another workflow waits for it too.
          and not exists (select from currant.waiters waiter where waiter.target_id = request.id)
          -- One that was cancelled before may be at undoing what it did.
          and not exists (
              select from currant.workflows workflow where workflow.id = request.id and workflow.cancel_requested_at is not null)
        order by request.id
    loop
        perform currant.cancel_family(child);
    end loop;
end;
$$;
comment on function currant.cancel_children(uuid[]) is
    'Cancels the open children of these workflows, unless they are detached, or shared with a workflow that waits for them under their task_id.';

-- What remains of workflows that have just ended.
create function currant.close_workflows(ended uuid[]) returns void
    language plpgsql volatile
as $$
declare
    completed uuid[];
begin
    delete from currant.workflows where id = any (ended);
    -- What did not complete may be retried, and then goes on with the news that it has not read.
    completed := array(
        select outcome.id from currant.outcomes outcome where outcome.id = any (ended) and outcome.status = 'completed');
    perform currant.forget_news(completed);
    perform currant.cancel_children(ended);
end;
$$;
comment on function currant.close_workflows(uuid[]) is
    'Deletes the state of workflows that ended, and the unread news of those that completed; cancels their open children.';

-- Ends executions that are in nobody''s hands: the caller has locked their ready or parked row, or their waiting workflow. The run number
-- is kept, so that it goes on from there when the execution is retried, and no run before it can ever write again.
create function currant.end_unclaimed(ids uuid[], status text, failure json) returns void
    language plpgsql volatile
as $$
#variable_conflict use_column
begin
    with unclaimed as (
        delete from currant.ready where id = any (ids) returning id, attempt, run, progress
    ), unparked as (
        delete from currant.parked where id = any (ids) returning id, attempt, run, progress
    ), gone as (
        select * from unclaimed union all select * from unparked
    )
    insert into currant.outcomes (id, status, kind, failure, attempt, run, digest, environment, chain, input, progress)
    select request.id, end_unclaimed.status, coalesce(request.kind, offered.kind), end_unclaimed.failure,
           coalesce(gone.attempt, workflow.attempt, 1), coalesce(gone.run, workflow.run, 0), workflow.digest,
           workflow.environment, workflow.chain, workflow.input, coalesce(workflow.progress, gone.progress)
    from currant.requests request
    left join gone on gone.id = request.id
    left join currant.workflows workflow on workflow.id = request.id
    left join currant.functions offered on offered.name = request.function
    where request.id = any (ids);
    perform currant.close_workflows(ids);
    perform currant.announce(ids);
end;
$$;
comment on function currant.end_unclaimed(uuid[], text, json) is 'Ends pending or suspended executions as cancelled or timed_out.';

-- A length of time from a JSON number. What is longer than ten thousand years counts as that: the calendar has an end.
create function currant.milliseconds(number text) returns interval
    language sql immutable
    -- `least` alone would take nothing said for the ten thousand years.
    return case when number is not null then least(number::numeric, 315576000000000)::double precision * interval '1 ms' end;
comment on function currant.milliseconds(text) is 'So many milliseconds, at most ten thousand years; null of null.';

-- Ids sort by time, so that what is older than a time is found without an index of its own.
create function currant.first_id_at(at timestamptz) returns uuid
    language sql immutable parallel safe
    return encode(overlay('\x00000000000000000000000000000000'::bytea
                          placing substring(int8send(greatest(0, extract(epoch from at) * 1000)::bigint) from 3) from 1 for 6), 'hex')::uuid;
comment on function currant.first_id_at(timestamptz) is 'The smallest id that an execution of this time, or of a later one, can have.';

-- What is written is in the queue's row; retention of what failed or was cancelled goes before that of its kind.
create function currant.retention(queue text, kind text, status text) returns interval
    language sql stable parallel safe
as $$
    select coalesce(
        currant.milliseconds(case
            when retention.status = 'cancelled' then currant.setting(q.file_settings, q.command_settings, 'retention_cancelled')
            when retention.status <> 'completed' then currant.setting(q.file_settings, q.command_settings, 'retention_failed')
        end),
        currant.milliseconds(currant.setting(
            q.file_settings, q.command_settings, case retention.kind when 'task' then 'retention_tasks' else 'retention_workflows' end)),
        case retention.kind when 'task' then interval '7 days' else interval '30 days' end)
    from (select) as one
    left join currant.queues q on q.name = retention.queue
$$;
comment on function currant.retention(text, text, text) is
    'How long an ended execution is kept: 7 days for tasks and 30 for workflows, unless its queue says something else.';

-- From when on an execution is not worth beginning any more, and not worth going on with.
create function currant.limits_of(timeouts json, run_at timestamptz) returns table (deadline timestamptz, expires_at timestamptz)
    language sql stable
as $$
    select total.until, least(total.until, greatest(run_at, currant.now()) + currant.milliseconds(timeouts ->> 'queue_ms'))
    from (select currant.now() + currant.milliseconds(timeouts ->> 'total_ms') as until) as total
$$;
comment on function currant.limits_of(json, timestamptz) is
    'When the total timeout ends, counted from now; and when the queue timeout does, counted from run_at, if that is sooner.';

-- Makes requests claimable, or parks them until something offers their function. They are written, and the executions are nowhere yet. In
-- PL/pgSQL, as `wake`.
create function currant.admit(
    ids uuid[], run_ats timestamptz[], attempt integer default 1, run integer default 0, forgiven integer default 0,
    progress json default null
) returns void
    language plpgsql volatile
as $$
#variable_conflict use_column
declare
    admitted uuid[];
    limited uuid[];
    also_limited uuid[];
begin
    with readied as (
        insert into currant.ready
            (id, queue, priority, run_at, attempt, run, forgiven, progress, deadline, expires_at, concurrency_key, rings)
        select request.id, request.queue, request.priority, item.run_at, admit.attempt, admit.run, admit.forgiven, admit.progress,
               limits.deadline, limits.expires_at, request.concurrency_key, row_number() over (partition by request.queue, request.priority) = 1
        from unnest(ids, run_ats) as item (id, run_at)
        -- A probe for each, whatever the table was when this was planned.
        cross join lateral (select * from currant.requests where requests.id = item.id offset 0) as request
        left join currant.functions offered on offered.name = request.function
        cross join lateral currant.limits_of(coalesce(request.timeouts, offered.timeouts), item.run_at) as limits
        -- What no module offers any more may still be offered by the one that its caller is pinned to.
        where offered.name is not null or request.digest is not null
        returning id, deadline
    )
    select array_agg(id), array_agg(id) filter (where deadline is not null) into admitted, limited from readied;

    if cardinality(admitted) is distinct from cardinality(ids) then
        with parked as (
            insert into currant.parked (id, function, run_at, attempt, run, forgiven, progress, deadline, expires_at)
            select request.id, request.function, item.run_at, admit.attempt, admit.run, admit.forgiven, admit.progress,
                   limits.deadline, limits.expires_at
            from unnest(ids, run_ats) as item (id, run_at)
            cross join lateral (select * from currant.requests where requests.id = item.id offset 0) as request
            cross join lateral currant.limits_of(request.timeouts, item.run_at) as limits
            where item.id <> all (coalesce(admitted, '{}'))
            returning id, deadline
        )
        select array_agg(id) filter (where deadline is not null) into also_limited from parked;
    end if;

    limited := limited || also_limited;
    if limited is not null then
        -- As a join, it could be planned to read every open workflow.
        update currant.workflows workflow
        set deadline = coalesce((select ready.deadline from currant.ready where ready.id = workflow.id),
                                (select parked.deadline from currant.parked where parked.id = workflow.id))
        where workflow.id = any (limited);
    end if;
end;
$$;
comment on function currant.admit(uuid[], timestamptz[], integer, integer, integer, json) is
    'The one way into ready for what workflows start, what is retried by hand, and what is no longer parked.';

-- Moves parked executions whose function is offered now.
create function currant.unpark(at_most bigint) returns bigint
    language plpgsql volatile
as $$
declare
    waiting record;
    moved bigint := 0;
begin
    for waiting in
        select parked.*, offered.kind
        from currant.parked
        join currant.functions offered on offered.name = parked.function
        order by parked.id
        limit at_most
    loop
        perform from currant.workflows where workflows.id = waiting.id for update;
        delete from currant.parked where parked.id = waiting.id;
        -- Somebody else may have moved or cancelled it since.
        continue when not found;
        if waiting.kind = 'task' then
            -- It was taken for a workflow as long as nobody knew better.
            delete from currant.workflows where workflows.id = waiting.id;
            delete from currant.inbox where inbox.workflow_id = waiting.id;
        end if;
        perform currant.admit(array[waiting.id], array[waiting.run_at], waiting.attempt, waiting.run, waiting.forgiven,
                              waiting.progress);
        -- Time that it spent parked counts.
        update currant.ready
        set deadline = coalesce(waiting.deadline, ready.deadline), expires_at = coalesce(waiting.expires_at, ready.expires_at)
        where ready.id = waiting.id;
        update currant.workflows set deadline = waiting.deadline where workflows.id = waiting.id and waiting.deadline is not null;
        moved := moved + 1;
    end loop;
    return moved;
end;
$$;
comment on function currant.unpark(bigint) is 'Makes parked executions claimable whose function a deployment offers by now.';
