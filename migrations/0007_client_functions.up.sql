-- What clients may do, from any language, inside their own transaction. Errors have SQLSTATEs of their own:
-- CU400 the arguments are wrong · CU404 there is no such thing · CU409 its state does not allow it.

create function currant.status_of(id uuid) returns text
    language sql stable
as $$
    select coalesce(
        (select outcome.status from currant.outcomes outcome where outcome.id = status_of.id),
        (select 'running' from currant.running where running.id = status_of.id),
        (select 'pending' from currant.ready where ready.id = status_of.id),
        (select 'pending' from currant.parked where parked.id = status_of.id),
        (select 'suspended' from currant.workflows where workflows.id = status_of.id and workflows.waiting));
$$;
comment on function currant.status_of(uuid) is
    'pending, running, suspended, completed, failed, cancelled or timed_out; null if there is no such execution.';

-- Deduplication is decided under the lock of the key''s row. Returns the execution that the key stands for now.
create function currant.claim_key(task_id text, candidate uuid) returns uuid
    language plpgsql volatile
as $$
#variable_conflict use_column
declare
    holder uuid;
    holder_status text;
begin
    loop
        insert into currant.keys (task_id, execution_id)
        values (claim_key.task_id, candidate)
        on conflict do nothing;
        if found then
            return candidate;
        end if;
        select execution_id into holder from currant.keys where keys.task_id = claim_key.task_id for update;
        -- Retention may have deleted the key in between: then it is free.
        exit when found;
    end loop;

    -- In a statement of its own, after the lock, so that it sees what the previous holder of the lock did.
    holder_status := currant.status_of(holder);
    if holder_status in ('failed', 'cancelled', 'timed_out') or holder_status is null then
        update currant.keys set execution_id = candidate where keys.task_id = claim_key.task_id;
        return candidate;
    end if;
    return holder;
end;
$$;
comment on function currant.claim_key(text, uuid) is
    'Gives the key to the candidate if it is free, or if its holder failed, was cancelled or timed out; otherwise answers the holder.';

-- Bytes of a value, as JSON text. It goes through Postgres several times, and a replay reads all values of a workflow at once.
create function currant.payload_bytes() returns integer
    language sql immutable
as $$ select 4194304; $$;
comment on function currant.payload_bytes() is 'How large a value may be, in bytes of its JSON text: an input, a result, a signal.';

-- What is asked for must be storable, and readable for everybody who looks at it later: a value of one caller that the claim, a list or a
-- deployment could not read would stop all others.
create function currant.check_value(value json, what text) returns void
    language plpgsql immutable
as $$
begin
    if octet_length(value::text) > currant.payload_bytes() then
        raise exception '% has % bytes, and may have %', what, octet_length(value::text), currant.payload_bytes()
            using errcode = 'CU400', hint = 'store it elsewhere, and send its address';
    end if;
    -- Refuses what the view could not show: \u0000, and numbers that numeric does not hold.
    perform value::jsonb;
end;
$$;
comment on function currant.check_value(json, text) is
    'Refuses a value that could not be shown, or that is larger than what anybody accepts.';

create function currant.check_request(
    function text, queue text, run_at timestamptz, priority integer, timeout interval, queue_timeout interval, total_timeout interval,
    retries integer, concurrency_key text, tags text[], trace_context json
) returns void
    language plpgsql stable
as $$
begin
    if function is null or function !~ '^[a-z0-9_.-]{1,100}$' then
        raise exception 'the function name % is not valid', coalesce(quote_literal(function), 'null')
            using errcode = 'CU400', hint = 'names are 1 to 100 of a-z 0-9 _ . -';
    end if;
    if queue !~ '^[a-z0-9_.-]{1,100}$' then
        raise exception 'the queue name % is not valid', quote_literal(queue)
            using errcode = 'CU400', hint = 'names are 1 to 100 of a-z 0-9 _ . -';
    end if;
    if not isfinite(run_at) or run_at > currant.now() + interval '10000 years' then
        raise exception 'run_at must lie within the next ten thousand years' using errcode = 'CU400';
    end if;
    if priority not between -32768 and 32767 then
        raise exception 'priority must lie between -32768 and 32767' using errcode = 'CU400';
    end if;
    -- It is a part of an index.
    if concurrency_key = '' or char_length(concurrency_key) > 255 then
        raise exception 'concurrency_key must have 1 to 255 characters' using errcode = 'CU400';
    end if;
    -- Drivers read lists that begin with their first element.
    if array_ndims(tags) > 1 or array_lower(tags, 1) <> 1
       or exists (select from unnest(tags) as tag where coalesce(tag, '') = '' or char_length(tag) > 255)
    then
        raise exception 'tags is a list of words of 1 to 255 characters' using errcode = 'CU400';
    end if;
    if retries < 0 then
        raise exception 'retries must not be negative' using errcode = 'CU400';
    end if;
    if least(timeout, queue_timeout, total_timeout) <= interval '0' then
        raise exception 'timeouts must be longer than nothing' using errcode = 'CU400';
    end if;
    if trace_context ->> 'trace_id' !~ '^[0-9a-f]{32}$'
       or json_typeof(trace_context -> 'baggage') not in ('object', 'null')
    then
        raise exception 'trace_context is not valid'
            using errcode = 'CU400', hint = 'for example {"trace_id": "32 hexadecimal digits", "baggage": {"tenant": "a"}}';
    end if;
end;
$$;
comment on function currant.check_request is 'Refuses what enqueue and enqueue_many cannot start, and says why.';

-- Everything about these executions is new, and the same but for their inputs: so nothing is looked up row by row.
create function currant.start(
    ids uuid[], inputs json[], function text, task_id text, queue text, run_at timestamptz, priority integer, timeout interval,
    queue_timeout interval, total_timeout interval, retries integer, concurrency_key text, tags text[], trace_context json
) returns void
    language plpgsql volatile
as $$
#variable_conflict use_column
declare
    offered currant.functions;
    its_queue text;
    its_priority smallint;
    its_run_at constant timestamptz := coalesce(run_at, currant.now());
    retry json;
    timeouts json;
    until record;
    together text;
    risky boolean;
begin
    -- What check_value refuses is long, has an escape \u, an exponent, or more digits in a row than anybody writes: to look for that costs half
    -- as much as to parse.
    risky := pg_column_size(inputs) > 1000000;
    if not risky then
        together := array_to_string(inputs, ' ');
        risky := octet_length(together) > 1000000 or together like '%\\u%' or together ~ '[0-9][eE]|[0-9]{255}';
    end if;
    if risky then
        perform currant.check_value(input, 'the input') from unnest(inputs) as input;
    end if;

    select * into offered from currant.functions where functions.name = start.function;
    its_queue := coalesce(start.queue, offered.queue, 'default');
    its_priority := coalesce(start.priority, offered.priority, 0);
    perform currant.use_queue(its_queue);
    if retries is not null then
        retry := json_build_object('retries', retries);
    end if;
    if num_nonnulls(timeout, queue_timeout, total_timeout) > 0 then
        timeouts := json_strip_nulls(json_build_object(
            'attempt_ms', currant.whole_milliseconds(timeout),
            'queue_ms', currant.whole_milliseconds(queue_timeout),
            'total_ms', currant.whole_milliseconds(total_timeout)));
    end if;
    select * into until from currant.limits_of(coalesce(timeouts, offered.timeouts), its_run_at);

    insert into currant.requests
        (id, task_id, function, kind, queue, priority, input, retry, timeouts, concurrency_key, tags, trace_id, trace_context)
    select item.id, start.task_id, start.function, offered.kind, its_queue, its_priority, coalesce(item.input, 'null'), retry,
           timeouts, start.concurrency_key, nullif(start.tags, '{}'), (start.trace_context ->> 'trace_id')::uuid,
           case when json_typeof(start.trace_context -> 'baggage') = 'object' then start.trace_context -> 'baggage' end
    from unnest(ids, inputs) as item (id, input);
    if offered.kind is distinct from 'task' then
        insert into currant.workflows (id, deadline) select id, until.deadline from unnest(ids) as id;
    end if;
    if offered.name is null then
        insert into currant.parked (id, function, run_at, attempt, run, forgiven, deadline, expires_at)
        select id, start.function, its_run_at, 1, 0, 0, until.deadline, until.expires_at from unnest(ids) as id;
    else
        insert into currant.ready (id, queue, priority, run_at, attempt, deadline, expires_at, concurrency_key, rings)
        select id, its_queue, its_priority, its_run_at, 1, until.deadline, until.expires_at, start.concurrency_key, id = ids[1]
        from unnest(ids) as id;
    end if;
end;
$$;
comment on function currant.start is
    'Writes executions that clients ask for, one per input: requests, and ready or, as long as nothing offers their function, parked.';

create function currant.enqueue(
    function text,
    input json default 'null',
    queue text default null,
    task_id text default null,
    run_at timestamptz default null,
    priority integer default null,
    timeout interval default null,
    queue_timeout interval default null,
    total_timeout interval default null,
    retries integer default null,
    concurrency_key text default null,
    tags text[] default null,
    trace_context json default null
) returns table (id uuid, status text, result json, created boolean, conflict boolean)
    language plpgsql volatile
as $$
#variable_conflict use_column
declare
    new_id constant uuid := currant.new_id();
    holder uuid;
    held currant.requests;
    held_status text;
    held_result json;
begin
    perform currant.check_request(
        enqueue.function, enqueue.queue, enqueue.run_at, enqueue.priority, enqueue.timeout, enqueue.queue_timeout, enqueue.total_timeout,
        enqueue.retries, enqueue.concurrency_key, enqueue.tags, enqueue.trace_context);
    if enqueue.task_id = '' or char_length(enqueue.task_id) > 255 then
        raise exception 'task_id must have 1 to 255 characters' using errcode = 'CU400';
    end if;

    if enqueue.task_id is not null then
        loop
            holder := currant.claim_key(enqueue.task_id, new_id);
            exit when holder = new_id;
            select currant.status_of(holder), (select outcome.result from currant.outcomes outcome where outcome.id = holder)
            into held_status, held_result;
            -- One that has failed since the key was looked at has it no more.
            continue when held_status in ('failed', 'cancelled', 'timed_out') or held_status is null;
            select * into held from currant.requests where requests.id = holder;
            return query
                select holder, held_status, held_result, false,
                       held.function <> enqueue.function or held.input::jsonb <> coalesce(enqueue.input, 'null')::jsonb;
            return;
        end loop;
    end if;

    perform currant.start(
        array[new_id], array[enqueue.input], enqueue.function, enqueue.task_id, enqueue.queue, enqueue.run_at, enqueue.priority,
        enqueue.timeout, enqueue.queue_timeout, enqueue.total_timeout, enqueue.retries, enqueue.concurrency_key, enqueue.tags,
        enqueue.trace_context);
    return query select new_id, 'pending'::text, null::json, true, false;
end;
$$;
comment on function currant.enqueue is
    'Starts an execution, in the caller''s transaction. With a task_id that an open or completed execution has, answers that one instead: created is false, result is what it returned, and conflict says that function or input differ. trace_context: {"trace_id": 32 hex digits, "baggage": {…}}.';

create function currant.enqueue_many(
    function text,
    inputs json[],
    queue text default null,
    run_at timestamptz default null,
    priority integer default null,
    timeout interval default null,
    queue_timeout interval default null,
    total_timeout interval default null,
    retries integer default null,
    concurrency_key text default null,
    tags text[] default null,
    trace_context json default null
) returns uuid[]
    language plpgsql volatile
as $$
declare
    ids constant uuid[] := currant.new_ids(coalesce(cardinality(inputs), 0));
begin
    perform currant.check_request(function, queue, run_at, priority, timeout, queue_timeout, total_timeout, retries, concurrency_key, tags,
                                  trace_context);
    if array_ndims(inputs) > 1 then
        raise exception 'inputs is a list' using errcode = 'CU400', hint = 'one input per execution';
    end if;
    perform currant.start(ids, inputs, function, null, queue, run_at, priority, timeout, queue_timeout, total_timeout, retries,
                          concurrency_key, tags, trace_context);
    return ids;
end;
$$;
comment on function currant.enqueue_many is
    'Starts one execution per input, in the caller''s transaction; answers their ids in the order of the inputs, which is the order in which they are claimed.';

create function currant.signal(id uuid, name text, payload json default 'null', dedup_id text default null) returns boolean
    language plpgsql volatile
as $$
#variable_conflict use_column
declare
    current_status text;
begin
    if coalesce(signal.name, '') = '' or octet_length(signal.name) > 255 then
        raise exception 'a signal needs a name of 1 to 255 bytes' using errcode = 'CU400';
    end if;
    if signal.dedup_id = '' or octet_length(signal.dedup_id) > 255 then
        raise exception 'a dedup_id has 1 to 255 bytes' using errcode = 'CU400';
    end if;
    perform currant.check_value(signal.payload, 'the payload');

    perform from currant.workflows where workflows.id = signal.id for update;
    if not found then
        current_status := currant.status_of(signal.id);
        if current_status is null then
            raise exception 'there is no execution %', signal.id using errcode = 'CU404';
        elsif current_status in ('pending', 'running') then
            raise exception 'execution % is a task: only workflows receive signals', signal.id using errcode = 'CU409';
        end if;
        raise exception 'execution % is % and receives no more signals', signal.id, current_status using errcode = 'CU409';
    end if;

    if signal.dedup_id is not null then
        insert into currant.signal_keys (workflow_id, dedup_id) values (signal.id, signal.dedup_id) on conflict do nothing;
        if not found then
            return false;
        end if;
    end if;
    insert into currant.inbox (workflow_id, arrival, kind, name, result)
    select workflow_id, first_arrival, 'signal', signal.name, coalesce(signal.payload, 'null')
    from currant.wake(array[signal.id], array[1]);
    return true;
end;
$$;
comment on function currant.signal(uuid, text, json, text) is
    'Sends a signal to an open workflow; kept until it is received. False if one with this dedup_id was sent before.';

create function currant.cancel(id uuid) returns text
    language plpgsql volatile
as $$
begin
    if not exists (select from currant.requests where requests.id = cancel.id) then
        raise exception 'there is no execution %', cancel.id using errcode = 'CU404';
    end if;
    return currant.cancel_family(cancel.id, by_hand => true);
end;
$$;
comment on function currant.cancel(uuid) is
    'Cancels an execution and its children: cancelled if it has ended by that, requested if it is asked to stop, otherwise the status in which it had ended. A workflow that was asked before is ended at once, and undoes nothing more.';

-- Only who cancels by hand can be out of patience. A parent that gives a child up, or ends, may do so while the child is still busy undoing
-- what it did.
create function currant.cancel_family(id uuid, by_hand boolean default false) returns text
    language plpgsql volatile
as $$
#variable_conflict use_column
declare
    family uuid[];
    member uuid;
    answer text;
begin
    perform currant.lock_family('{}', array[cancel_family.id]);
    with recursive family as (
        select cancel_family.id as id, 0 as depth
        union all
        select request.id, family.depth + 1
        from family
        join currant.requests request on request.parent_workflow_id = family.id and not request.detached
        where not exists (select from currant.outcomes outcome where outcome.id = request.id)
          -- Another workflow waits for it too.
          and not exists (select from currant.waiters waiter where waiter.target_id = request.id)
          -- One that was cancelled before may be at undoing what it did.
          and not exists (
              select from currant.workflows workflow where workflow.id = request.id and workflow.cancel_requested_at is not null)
    )
    select array_agg(family.id order by depth) into family from family;
    foreach member in array family loop
        if member = cancel_family.id then
            answer := currant.cancel_one(member, by_hand);
        else
            perform currant.cancel_one(member, false);
        end if;
    end loop;
    return answer;
end;
$$;
comment on function currant.cancel_family(uuid, boolean) is 'Cancels an execution and its children.';

create function currant.cancel_one(id uuid, by_hand boolean) returns text
    language plpgsql volatile
as $$
#variable_conflict use_column
declare
    workflow currant.workflows;
    ended text;
    worker uuid;
    failure constant json := '{"code":"cancelled","message":"cancelled before it began","retryable":false}';
begin
    -- A claim or a retry may move it between two looks; it is somewhere else then, so look again.
    loop
        select outcome.status into ended from currant.outcomes outcome where outcome.id = cancel_one.id;
        if found then
            return ended;
        end if;

        select * into workflow from currant.workflows where workflows.id = cancel_one.id for update;
        if found then
            perform from currant.ready where ready.id = cancel_one.id and not resumes for update;
            if not found then
                perform from currant.parked where parked.id = cancel_one.id for update;
            end if;
            if found then
                perform currant.end_unclaimed(array[cancel_one.id], 'cancelled', failure);
                return 'cancelled';
            end if;
            if workflow.cancel_requested_at is null then
                update currant.workflows set cancel_requested_at = currant.now() where workflows.id = cancel_one.id;
                insert into currant.inbox (workflow_id, arrival, kind)
                select workflow_id, first_arrival, 'cancel' from currant.wake(array[cancel_one.id], array[1]);
            elsif by_hand then
                update currant.workflows set cancel_requested_at = '-infinity' where workflows.id = cancel_one.id;
                return currant.stop_workflow(cancel_one.id, 'it was cancelled again before it had ended by itself');
            end if;
            return 'requested';
        end if;

        perform from currant.ready where ready.id = cancel_one.id for update;
        if not found then
            perform from currant.parked where parked.id = cancel_one.id for update;
        end if;
        if found then
            perform currant.end_unclaimed(array[cancel_one.id], 'cancelled', failure);
            return 'cancelled';
        end if;
        update currant.running set cancel_requested = true where running.id = cancel_one.id returning worker_id into worker;
        if found then
            perform pg_notify('currant_cancel', worker::text);
            return 'requested';
        end if;
    end loop;
end;
$$;
comment on function currant.cancel_one(uuid, boolean) is
    'Cancels one execution, its children left alone. The caller has locked its workflow.';

create function currant.stop_workflow(id uuid, reason text) returns text
    language plpgsql volatile
as $$
#variable_conflict use_column
declare
    worker uuid;
begin
    -- Under the workflow's lock only a claim can move it.
    if not exists (select from currant.workflows where workflows.id = stop_workflow.id and workflows.waiting) then
        perform from currant.ready where ready.id = stop_workflow.id for update;
        if not found then
            perform from currant.parked where parked.id = stop_workflow.id for update;
        end if;
        if not found then
            update currant.running set cancel_requested = true where running.id = stop_workflow.id returning worker_id into worker;
            perform pg_notify('currant_cancel', worker::text) where worker is not null;
            return 'requested';
        end if;
    end if;
    perform currant.end_unclaimed(
        array[stop_workflow.id], 'cancelled', json_build_object('code', 'cancelled', 'message', reason, 'retryable', false));
    return 'cancelled';
end;
$$;
comment on function currant.stop_workflow(uuid, text) is
    'Ends a cancelled workflow that takes too long: at once, or by the worker that runs it. The caller has locked it, its parent, and its children.';

create function currant.retry(id uuid, from_start boolean default false) returns text
    language plpgsql volatile
as $$
#variable_conflict use_column
declare
    request currant.requests;
    ended currant.outcomes;
    holder uuid;
    begun boolean;
    answer text := 'anew';
begin
    select * into request from currant.requests where requests.id = retry.id;
    if not found then
        raise exception 'there is no execution %', retry.id using errcode = 'CU404';
    end if;
    -- Its key, and those of the children that are started again with it: in the order of their bytes, like everybody.
    perform from currant.keys
    where keys.task_id in (
        with recursive family as (
            select retry.id as id, request.task_id as task_id
            union all
            select child.id, child.task_id
            from family
            cross join lateral (
                select asked.id, asked.task_id
                from currant.requests asked
                join currant.outcomes outcome on outcome.id = asked.id and outcome.status = 'cancelled'
                where asked.parent_workflow_id = family.id and not asked.detached and not retry.from_start
                offset 0
            ) as child
        )
        select family.task_id from family where family.task_id is not null)
    order by keys.task_id collate "C"
    for update;
    if request.task_id is not null then
        select execution_id into holder from currant.keys where keys.task_id = request.task_id;
        if holder <> retry.id then
            raise exception 'a newer execution, %, has the task_id % of %', holder, quote_literal(request.task_id), retry.id
                using errcode = 'CU409', hint = 'retry that one';
        end if;
    end if;
    delete from currant.outcomes
    where outcomes.id = retry.id and outcomes.status <> 'completed'
    returning * into ended;
    if not found then
        raise exception 'execution % is %: only what failed, was cancelled or timed out can be retried',
            retry.id, currant.status_of(retry.id) using errcode = 'CU409';
    end if;
    -- It may have ended before anything offered its function.
    ended.kind := coalesce(ended.kind, (select offered.kind from currant.functions offered where offered.name = request.function));

    insert into currant.attempts (id, run, attempt, failure, worker_id, progress, started_at, ended_at)
    values (retry.id, ended.run, ended.attempt, ended.failure, ended.worker_id, ended.progress, ended.started_at, ended.ended_at)
    on conflict do nothing;
    if coalesce(ended.kind, '') <> 'task' then
        begun := exists (select from currant.journal where workflow_id = retry.id and chain = ended.chain);
        insert into currant.workflows (id, run, attempt, forgiven, digest, environment, chain, input, progress, next_arrival)
        values (retry.id, ended.run, ended.attempt + 1, ended.attempt,
                -- Without an entry there is nothing to replay, and nothing that binds it to a version.
                case when begun and not from_start then ended.digest end,
                case when begun and not from_start then coalesce(ended.environment, 0) else 0 end,
                coalesce(ended.chain, 1) + (begun and from_start)::integer,
                ended.input,
                case when not from_start then ended.progress end,
                coalesce((select max(arrival) from currant.inbox where workflow_id = retry.id), 0) + 1);
        delete from currant.inbox
        where workflow_id = retry.id and (kind = 'cancel' or kind = 'completion' and from_start);
        if from_start then
            delete from currant.waiters where workflow_id = retry.id;
        else
            if begun then
                answer := case when currant.take_back(retry.id, ended.chain, ended.status, ended.failure ->> 'code')
                               then 'before-failure' else 'replayed' end;
            end if;
            perform currant.catch_up(retry.id, coalesce(ended.chain, 1));
        end if;
    end if;
    perform currant.admit(array[retry.id], array[currant.now()], ended.attempt + 1, ended.run, ended.attempt,
                          case when ended.kind = 'task' then ended.progress end);
    return answer;
end;
$$;
comment on function currant.retry(uuid, boolean) is
    'Makes an execution that failed, was cancelled or timed out pending again, with its retries granted anew. A workflow goes on with its journal, on the version that it started on: before-failure when the children or the step whose failure ended it are tried again, replayed when its record stands as it is. from_start begins a new journal on the current version (anew, as for tasks). A parent that has received the failure is not told.';

-- A workflow that ended by its own code would come to the same end, were it replayed to the end of its record. So what failed last is taken
-- off the record, and is tried again: as long as the workflow has decided nothing since but to give others up, and has been told nothing
-- that nobody could tell it again.
create function currant.take_back(workflow_id uuid, chain integer, status text, code text) returns boolean
    language plpgsql volatile
as $$
#variable_conflict use_column
declare
    begins integer;
    child uuid;
begin
    -- What the host ended it for is not on record, and a divergence is mended without touching what is.
    if status = 'timed_out'
       or status = 'failed' and code in ('nondeterminism', 'worker-lost', 'module-unavailable', 'out-of-memory', 'limit-exceeded')
    then
        return false;
    end if;
    with entry as (
        select journal.position, journal.kind, request.id as child,
               -- The end of a child of its own, or of a timer.
               request.id is not null or timer.operation is not null as can_be_told_again
        from currant.journal
        left join currant.requests request
               on request.parent_workflow_id = journal.workflow_id and request.parent_chain = journal.chain
              and request.parent_operation = journal.operation
        left join currant.journal timer
               on timer.workflow_id = journal.workflow_id and timer.chain = journal.chain and timer.operation = journal.operation
              and timer.kind = 'timer'
        where journal.workflow_id = take_back.workflow_id and journal.chain = take_back.chain
    ), standing as (
        select max(entry.position) as position
        from entry
        where not (entry.kind in ('cancel', 'cancelled') or entry.kind in ('completed', 'failed') and entry.can_be_told_again)
    )
    select coalesce(
        (select min(entry.position)
         from entry
         where entry.position > standing.position
           and (entry.kind = 'cancelled' or entry.kind = 'failed' and entry.child is not null)),
        (select entry.position from entry where entry.position = standing.position and entry.kind = 'step-failed'))
    into begins
    from standing;
    if begins is null then
        return false;
    end if;
    for child in
        select request.id
        from currant.journal
        join currant.requests request
          on request.parent_workflow_id = journal.workflow_id and request.parent_chain = journal.chain
         and request.parent_operation = journal.operation
        where journal.workflow_id = take_back.workflow_id and journal.chain = take_back.chain
          and journal.position >= begins and journal.kind = 'failed'
        order by request.id
    loop
        begin
            perform currant.retry(child);
        exception
            -- Its task_id has a newer holder: its failure is told again.
            when sqlstate 'CU409' then null;
        end;
    end loop;
    delete from currant.journal
    where journal.workflow_id = take_back.workflow_id and journal.chain = take_back.chain and journal.position >= begins;
    return true;
end;
$$;
comment on function currant.take_back(uuid, integer, text, text) is
    'Takes the failures, or the cancellation, at the end of a workflow''s record off it, and tries the children again that failed. False if its record stands as it is.';

-- What has happened to a workflow's operations while it was closed.
create function currant.catch_up(workflow_id uuid, chain integer) returns void
    language plpgsql volatile
as $$
#variable_conflict use_column
declare
    child record;
    ids uuid[] := '{}';
    operations integer[] := '{}';
begin
    -- One that is ending at this moment does not see the workflow: its outcome is waited for, and found by the next statement.
    perform from currant.running
    where running.id = any (array(
        select request.id
        from currant.requests request
        where request.parent_workflow_id = catch_up.workflow_id and request.parent_chain = catch_up.chain))
    order by running.id
    for update;

    for child in
        select request.id, request.parent_operation as operation, outcome.status = 'cancelled' and not request.detached as cancelled
        from currant.requests request
        join currant.outcomes outcome on outcome.id = request.id
        where request.parent_workflow_id = catch_up.workflow_id
          and request.parent_chain = catch_up.chain
          and not exists (
              select from currant.journal
              where journal.workflow_id = request.parent_workflow_id and journal.chain = request.parent_chain
                and journal.operation = request.parent_operation and journal.kind in ('completed', 'failed', 'cancel'))
          and not exists (
              select from currant.inbox
              where inbox.workflow_id = request.parent_workflow_id and inbox.chain = request.parent_chain
                and inbox.operation = request.parent_operation)
        order by request.id
    loop
        if child.cancelled then
            -- It was cancelled because its parent ended, and is needed again.
            begin
                perform currant.retry(child.id);
                continue;
            exception
                -- Its task_id has a newer holder.
                when sqlstate 'CU409' then null;
            end;
        end if;
        ids := ids || child.id;
        operations := operations || child.operation;
    end loop;
    perform currant.deliver(ids, array_fill(catch_up.workflow_id, array[cardinality(ids)]),
                            array_fill(catch_up.chain, array[cardinality(ids)]), operations);
    perform currant.announce_attached(array(
        select outcome.id
        from currant.waiters waiter
        join currant.outcomes outcome on outcome.id = waiter.target_id
        where waiter.workflow_id = catch_up.workflow_id));
end;
$$;
comment on function currant.catch_up(uuid, integer) is
    'Gives a workflow that is retried the ends of children that it has not been told, and starts again those that were cancelled with it.';

create function currant.complete(token text, result json default 'null') returns void
    language plpgsql volatile
as $$
begin
    perform currant.check_value(result, 'the result');
    perform currant.settle(token, coalesce(result, 'null'), null);
end;
$$;
comment on function currant.complete(text, json) is 'Completes the external operation that the token was made for.';

create function currant.fail(token text, failure json) returns void
    language plpgsql volatile
as $$
begin
    if json_typeof(failure) is distinct from 'object' or failure ->> 'message' is null then
        raise exception 'a failure is an object with at least a message'
            using errcode = 'CU400', hint = 'for example {"code": "declined", "message": "the card was declined"}';
    end if;
    perform currant.check_value(failure, 'the failure');
    if octet_length(failure ->> 'code') > 255 then
        raise exception 'the code of a failure has at most 255 bytes' using errcode = 'CU400';
    end if;
    perform currant.settle(token, null, json_build_object(
        'code', coalesce(failure ->> 'code', 'failed'), 'message', failure ->> 'message', 'details', failure -> 'details',
        'retryable', false));
end;
$$;
comment on function currant.fail(text, json) is 'Fails the external operation that the token was made for, with {"code", "message", "details"}.';

-- A token is WORKFLOW.CHAIN.OPERATION.SECRET; the secret is on record in the journal entry of the operation.
create function currant.settle(token text, result json, failure json) returns void
    language plpgsql volatile
as $$
#variable_conflict use_column
declare
    part text[] := string_to_array(token, '.');
    target uuid;
    target_chain integer;
    target_operation integer;
begin
    if token !~ '^[0-9a-f-]{36}\.[0-9]{1,9}\.[0-9]{1,9}\.[0-9a-f]{32}$' then
        raise exception 'this is not a token of an external operation' using errcode = 'CU400';
    end if;
    target := part[1]::uuid;
    target_chain := part[2]::integer;
    target_operation := part[3]::integer;
    perform from currant.workflows where workflows.id = target and workflows.chain = target_chain for update;
    if not found or not exists (
        select from currant.journal
        where workflow_id = target and chain = target_chain and operation = target_operation and kind = 'external'
          and body ->> 'secret' = part[4])
    then
        raise exception 'no open workflow waits for this token' using errcode = 'CU404';
    end if;
    if exists (select from currant.inbox
               where workflow_id = target and chain = target_chain and operation = target_operation)
       or exists (select from currant.journal
                  where workflow_id = target and chain = target_chain and operation = target_operation
                    and kind in ('completed', 'failed', 'cancel'))
    then
        raise exception 'this external operation was settled before' using errcode = 'CU409';
    end if;
    insert into currant.inbox (workflow_id, arrival, kind, chain, operation, result, failure)
    select workflow_id, first_arrival, 'completion', target_chain, target_operation, settle.result, settle.failure
    from currant.wake(array[target], array[1]);
end;
$$;
comment on function currant.settle(text, json, json) is 'Completes or fails an external operation, once.';

create function currant.configure_queue(
    name text,
    paused boolean default null,
    rate_limit text default null,
    burst integer default null,
    concurrency integer default null,
    concurrency_per_key integer default null,
    retention_tasks interval default null,
    retention_workflows interval default null,
    retention_failed interval default null,
    retention_cancelled interval default null,
    without text[] default '{}'
) returns void
    language plpgsql volatile
as $$
declare
    known constant text[] := currant.queue_settings();
    rate text := lower(replace(rate_limit, ' ', ''));
    changed jsonb;
    wrong text;
begin
    if configure_queue.name is null or configure_queue.name !~ '^[a-z0-9_.-]{1,100}$' then
        raise exception 'the queue name % is not valid', coalesce(quote_literal(configure_queue.name), 'null')
            using errcode = 'CU400', hint = 'names are 1 to 100 of a-z 0-9 _ . -';
    end if;
    if rate !~ '^[1-9][0-9]{0,8}/(s|sec|second|m|min|minute|h|hour|d|day)$' then
        raise exception '% is not a rate', quote_literal(configure_queue.rate_limit)
            using errcode = 'CU400', hint = 'write for example 100/sec, 1000/min or 5/hour';
    end if;
    if least(burst, concurrency, concurrency_per_key) < 1 then
        raise exception 'burst, concurrency and concurrency_per_key are at least 1'
            using errcode = 'CU400', hint = 'to take a limit away name it in without; to stop a queue pause it';
    end if;
    if least(retention_tasks, retention_workflows, retention_failed, retention_cancelled) < interval '0' then
        raise exception 'retention must not be negative' using errcode = 'CU400';
    end if;
    select coalesce(quote_literal(setting), 'null') into wrong
    from unnest(without) as setting
    where setting is null or setting <> all (known);
    if found then
        raise exception '% is not a setting of queues', wrong
            using errcode = 'CU400', hint = 'there are ' || array_to_string(known, ', ');
    end if;

    rate := regexp_replace(regexp_replace(regexp_replace(regexp_replace(
        rate, '/s.*', '/sec'), '/m.*', '/min'), '/h.*', '/hour'), '/d.*', '/day');
    changed := jsonb_strip_nulls(jsonb_build_object(
        'rate_limit', rate,
        'burst', burst,
        'concurrency', concurrency,
        'concurrency_per_key', concurrency_per_key,
        'retention_tasks', currant.whole_milliseconds(retention_tasks),
        'retention_workflows', currant.whole_milliseconds(retention_workflows),
        'retention_failed', currant.whole_milliseconds(retention_failed),
        'retention_cancelled', currant.whole_milliseconds(retention_cancelled)));
    changed := changed || coalesce((select jsonb_object_agg(setting, null) from unnest(without) as setting), '{}');
    perform currant.use_queue(configure_queue.name);
    if changed <> '{}' then
        -- Locked before it is read: somebody else may be changing another setting.
        perform from currant.queues where queues.name = configure_queue.name for no key update;
        perform currant.change_queue(
            configure_queue.name,
            command_settings => (select command_settings from currant.queues where queues.name = configure_queue.name) || changed);
    end if;
    if paused is not null then
        update currant.queues set paused = configure_queue.paused where queues.name = configure_queue.name;
        perform pg_notify('currant_ready', configure_queue.name) where not paused;
    end if;
end;
$$;
comment on function currant.configure_queue is
    'Creates a queue, or changes those of its settings that are named; what is set so stands before the workers'' files until reset_queue. rate_limit: 100/sec, 1000/min, 5/hour. without: settings that are not to hold. paused holds first claims of attempts back: what runs goes on and workflows that began are woken.';

create function currant.queue_settings() returns text[]
    language sql immutable parallel safe
    return array['rate_limit', 'burst', 'concurrency', 'concurrency_per_key', 'retention_tasks', 'retention_workflows', 'retention_failed',
                 'retention_cancelled'];
comment on function currant.queue_settings() is 'The names of the settings of queues.';

create function currant.whole_milliseconds(length interval) returns bigint
    language sql immutable parallel safe
    return case when length is not null then least(extract(epoch from length) * 1000, 315576000000000)::bigint end;
comment on function currant.whole_milliseconds(interval) is 'A length of time in milliseconds, at most ten thousand years; null of null.';

create function currant.reset_queue(name text, settings text[] default null) returns void
    language plpgsql volatile
as $$
#variable_conflict use_column
declare
    wrong text;
    stands jsonb;
begin
    select setting into wrong from unnest(settings) as setting where setting <> all (currant.queue_settings());
    if found then
        raise exception '% is not a setting of queues', quote_literal(wrong)
            using errcode = 'CU400', hint = 'there are ' || array_to_string(currant.queue_settings(), ', ');
    end if;
    perform from currant.queues where queues.name = reset_queue.name for no key update;
    if not found then
        raise exception 'there is no queue %', quote_literal(reset_queue.name) using errcode = 'CU404';
    end if;
    select command_settings into stands from currant.queues where queues.name = reset_queue.name;
    perform currant.change_queue(
        reset_queue.name, command_settings => case when settings is null then '{}' else stands - settings end);
end;
$$;
comment on function currant.reset_queue(text, text[]) is
    'Takes back what was set by command, everything if nothing is named: what the workers'' files say holds again, or the default.';

create function currant.pause_queue(name text) returns void
    language sql volatile
as $$ select currant.configure_queue(name, paused => true); $$;
comment on function currant.pause_queue(text) is 'Stops first claims of attempts on this queue. What runs goes on, and workflows that began are woken.';

create function currant.resume_queue(name text) returns void
    language sql volatile
as $$ select currant.configure_queue(name, paused => false); $$;
comment on function currant.resume_queue(text) is 'Ends a pause.';
