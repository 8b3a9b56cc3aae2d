-- Transitions that clients and workers share. Each is called with its locks taken in the one order that everybody keeps:
-- keys → workflows (by id) → running (by id) → the rest.

-- Wakes the workflows that are waiting. The caller has locked them, and has just written their news.
create function currant.wake(workflow_ids uuid[]) returns void
    language sql volatile
as $$
    with woken as (
        update currant.workflows
        set waiting = false, until = null
        where id = any (workflow_ids) and waiting
        returning id, run, attempt, forgiven, losses, deadline
    ), readied as (
        insert into currant.ready
            (id, queue, priority, run_at, attempt, run, resumes, forgiven, losses, deadline, concurrency_key)
        select woken.id, request.queue, request.priority, currant.now(), woken.attempt, woken.run, true, woken.forgiven,
               woken.losses, woken.deadline, request.concurrency_key
        from woken
        join currant.requests request on request.id = woken.id
        returning queue
    )
    select pg_notify('currant_ready', queue) from (select distinct queue from readied) queues;
$$;
comment on function currant.wake(uuid[]) is
    'Puts waiting workflows into ready; those that are not waiting will look into their inbox before they suspend. Eight wakers at once make one row.';

-- Tells everybody who waits for these executions that they ended. Their outcomes are written.
create function currant.announce(ended uuid[]) returns void
    language plpgsql volatile
as $$
declare
    concerned uuid[];
begin
    select array_agg(workflow_id) into concerned
    from (
        select parent_workflow_id as workflow_id
        from currant.requests
        where id = any (ended) and parent_workflow_id is not null
        union
        select workflow_id from currant.waiters where target_id = any (ended)
    ) as waiting;

    if concerned is not null then
        -- In a statement of its own: the next one must see what others wrote before they let go of these locks.
        perform from currant.workflows where id = any (concerned) order by id for update;

        with attached as (
            delete from currant.waiters where target_id = any (ended)
            returning target_id as id, workflow_id, chain, operation
        ), interest as (
            select id, parent_workflow_id as workflow_id, parent_chain as chain, parent_operation as operation
            from currant.requests
            where id = any (ended) and parent_workflow_id is not null
            union all
            select id, workflow_id, chain, operation from attached
        ), news as (
            select interest.*,
                   row_number() over (partition by interest.workflow_id order by array_position(ended, interest.id)) as number
            from interest
            join currant.workflows workflow on workflow.id = interest.workflow_id and workflow.chain = interest.chain
        ), drawn as (
            update currant.workflows workflow
            set next_arrival = next_arrival + counted.news
            from (select workflow_id, count(*)::int as news from news group by workflow_id) as counted
            where workflow.id = counted.workflow_id
            returning workflow.id, workflow.next_arrival - counted.news as first_arrival
        )
        insert into currant.inbox (workflow_id, arrival, kind, chain, operation, result, failure, at)
        select news.workflow_id, drawn.first_arrival + news.number - 1, 'completion', news.chain, news.operation,
               outcome.result, outcome.failure, outcome.ended_at
        from news
        join drawn on drawn.id = news.workflow_id
        join currant.outcomes outcome on outcome.id = news.id;

        perform currant.wake(concerned);
    end if;

    -- Only what no workflow started is waited for from outside.
    perform pg_notify('currant_ended', id::text)
    from currant.requests
    where id = any (ended) and parent_workflow_id is null;
end;
$$;
comment on function currant.announce(uuid[]) is
    'Writes the end of these executions into the inboxes of the workflows that wait for them and wakes those; hints to clients that wait for a result.';

-- What remains of workflows that have just ended.
create function currant.close_workflows(ended uuid[]) returns void
    language plpgsql volatile
as $$
declare
    child uuid;
begin
    delete from currant.workflows where id = any (ended);
    delete from currant.inbox where workflow_id = any (ended);
    delete from currant.waiters where workflow_id = any (ended);
    for child in
        select request.id
        from currant.requests request
        where request.parent_workflow_id = any (ended)
          and not request.detached
          and not exists (select from currant.outcomes outcome where outcome.id = request.id)
        order by request.id
    loop
        perform currant.cancel(child);
    end loop;
end;
$$;
comment on function currant.close_workflows(uuid[]) is
    'Deletes the state and the unread news of workflows that ended, and cancels their open children, unless those are detached.';

-- Ends executions that are in nobody''s hands: the caller has just deleted their ready or parked row, or locked their waiting workflow.
create function currant.end_unclaimed(ids uuid[], status text, failure json) returns void
    language plpgsql volatile
as $$
#variable_conflict use_column
begin
    insert into currant.outcomes (id, status, kind, failure, attempt, run, digest, chain, progress)
    select request.id, end_unclaimed.status, coalesce(request.kind, offered.kind), end_unclaimed.failure,
           coalesce(workflow.attempt, 1), coalesce(workflow.run, 0), workflow.digest, workflow.chain, workflow.progress
    from currant.requests request
    left join currant.workflows workflow on workflow.id = request.id
    left join currant.functions offered on offered.name = request.function
    where request.id = any (ids);
    perform currant.close_workflows(ids);
    perform currant.announce(ids);
end;
$$;
comment on function currant.end_unclaimed(uuid[], text, json) is 'Ends pending or suspended executions as cancelled or timed_out.';

-- Makes a request claimable, or parks it until something offers its function. The request is written and the execution is nowhere yet.
create function currant.admit(
    id uuid, run_at timestamptz, attempt integer default 1, run integer default 0, forgiven integer default 0,
    progress json default null
) returns void
    language plpgsql volatile
as $$
#variable_conflict use_column
declare
    request currant.requests;
    offered currant.functions;
    timeouts json;
    total_deadline timestamptz;
    queue_deadline timestamptz;
begin
    select * into request from currant.requests where requests.id = admit.id;
    select * into offered from currant.functions where functions.name = request.function;
    timeouts := coalesce(request.timeouts, offered.timeouts);
    if timeouts is not null then
        total_deadline := currant.now() + (timeouts ->> 'total_ms')::bigint * interval '1 ms';
        queue_deadline := greatest(admit.run_at, currant.now()) + (timeouts ->> 'queue_ms')::bigint * interval '1 ms';
    end if;
    if total_deadline is not null then
        update currant.workflows set deadline = total_deadline where workflows.id = admit.id;
    end if;
    if offered.name is null then
        insert into currant.parked (id, function, run_at, deadline, expires_at)
        values (admit.id, request.function, admit.run_at, total_deadline, least(total_deadline, queue_deadline));
        return;
    end if;
    insert into currant.ready
        (id, queue, priority, run_at, attempt, run, forgiven, progress, deadline, expires_at, concurrency_key)
    values (admit.id, request.queue, request.priority, admit.run_at, admit.attempt, admit.run, admit.forgiven, admit.progress,
            total_deadline, least(total_deadline, queue_deadline), request.concurrency_key);
    perform pg_notify('currant_ready', request.queue);
end;
$$;
comment on function currant.admit(uuid, timestamptz, integer, integer, integer, json) is
    'The one way into ready for what is asked for, retried by hand, or no longer parked.';
