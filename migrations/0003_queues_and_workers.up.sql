-- Queues, their settings and limits, and the worker processes that serve them.

-- In whatever unit it was written. The constraint on queues says what can be written.
create function currant.per_second(rate_limit text) returns double precision
    language sql immutable parallel safe
    return split_part(rate_limit, '/', 1)::double precision
        / case split_part(rate_limit, '/', 2) when 'sec' then 1 when 'min' then 60 when 'hour' then 3600 when 'day' then 86400 end;
comment on function currant.per_second(text) is 'How many per second a rate limit allows: 100/sec, 1000/min, 5/hour or 1/day.';

create function currant.setting(file_settings jsonb, command_settings jsonb, name text) returns text
    language sql immutable parallel safe
    return case when command_settings ? name then command_settings ->> name else file_settings ->> name end;
comment on function currant.setting(jsonb, jsonb, text) is 'The setting that holds: that of a command, which may be none, before that of the workers'' files.';

create table currant.queues (
    name             text primary key,
    paused           boolean not null default false,
    created_at       timestamptz not null default currant.now(),
    -- Settings by name, retention in milliseconds: what currant.toml says, and what was set by command. A command goes before the file
    -- until it is reset; null in it says that nothing holds, whatever the file says.
    file_settings    jsonb not null default '{}',
    command_settings jsonb not null default '{}',
    -- First claims of attempts: 100/sec, 1000/min, 5/hour.
    rate_limit       text generated always as (currant.setting(file_settings, command_settings, 'rate_limit')) stored,
    rate_per_second  double precision
        generated always as (currant.per_second(currant.setting(file_settings, command_settings, 'rate_limit'))) stored,
    -- Claims that a queue which was quiet may make at once: what a second brings if nothing is said, at least one.
    bucket_size      double precision generated always as (
        case when currant.setting(file_settings, command_settings, 'rate_limit') is not null then
            coalesce(currant.setting(file_settings, command_settings, 'burst')::double precision,
                     greatest(1, currant.per_second(currant.setting(file_settings, command_settings, 'rate_limit'))))
        end) stored,
    -- Executions that run at once, in all workers together; and those of them with the same concurrency_key.
    concurrency      integer generated always as (currant.setting(file_settings, command_settings, 'concurrency')::integer) stored,
    concurrency_per_key integer
        generated always as (currant.setting(file_settings, command_settings, 'concurrency_per_key')::integer) stored,
    -- Whether claims have to look at limits at all.
    limited          boolean generated always as (
        coalesce(currant.setting(file_settings, command_settings, 'rate_limit'),
                 currant.setting(file_settings, command_settings, 'concurrency'),
                 currant.setting(file_settings, command_settings, 'concurrency_per_key')) is not null) stored,

    constraint queue_name_is_plain check (name ~ '^[a-z0-9_.-]{1,100}$'),
    constraint queue_rate_limit check (rate_limit ~ '^[1-9][0-9]{0,8}/(sec|min|hour|day)$'),
    constraint queue_bucket_holds_one check (bucket_size >= 1),
    constraint queue_concurrency check (concurrency > 0),
    constraint queue_concurrency_per_key check (concurrency_per_key > 0)
);
comment on table currant.queues is
    'Settings of a queue. Inserted on first use; updated by pause and resume, by commands, and by workers whose file says something of it. Its row is the lock under which claims count against its limits.';

create table currant.rate_limits (
    queue        text primary key,
    tokens       double precision not null,
    last_refill  timestamptz not null,
    -- A task answered that what it calls is too busy: until then nothing is taken.
    paused_until timestamptz
);
-- A row that is updated by every claim: room for its next version on the same page.
alter table currant.rate_limits set
    (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
comment on table currant.rate_limits is
    'The token bucket of a queue with a rate limit; a setting and the state that it governs are different rows, so that neither resets the other. Inserted and deleted with the setting; updated by claims, and by tasks that were rate-limited, as the last thing that a transaction locks.';

create table currant.duties (
    name       text primary key,
    -- While it lies ahead, a worker is at it; one that dies is followed by another then.
    busy_until timestamptz not null,
    done_at    timestamptz
);
comment on table currant.duties is
    'What one worker at a time does for all, now and then. Taken for a moment by an update of its row, which is renewed batch by batch.';

create table currant.worker_heartbeats (
    id             uuid primary key,
    host           text not null,
    pid            integer not null,
    version        text not null,
    -- Null: every queue.
    queues         text[],
    slots          integer not null,
    running        integer not null default 0,
    started_at     timestamptz not null default currant.now(),
    lease_until    timestamptz not null,
    -- What its currant.toml says of queues, by queue and setting.
    queue_settings jsonb not null default '{}'
);
comment on table currant.worker_heartbeats is
    'A worker process and its lease: while lease_until lies ahead, what it claimed is its own. Inserted and renewed by the worker; deleted by it at shutdown, or by another worker once its executions were returned.';

create function currant.use_queue(name text) returns void
    language plpgsql volatile
as $$
#variable_conflict use_column
begin
    if not exists (select from currant.queues where queues.name = use_queue.name) then
        insert into currant.queues (name) values (use_queue.name) on conflict do nothing;
    end if;
end;
$$;
comment on function currant.use_queue(text) is 'Creates the queue on its first use.';

create function currant.change_queue(name text, file_settings jsonb default null, command_settings jsonb default null) returns void
    language plpgsql volatile
as $$
#variable_conflict use_column
declare
    before currant.queues;
    after currant.queues;
begin
    perform currant.use_queue(change_queue.name);
    select * into before from currant.queues where queues.name = change_queue.name for no key update;
    -- What came in at the old rate stays.
    update currant.rate_limits bucket
    set tokens = least(before.bucket_size,
                       bucket.tokens + greatest(0, extract(epoch from currant.now() - bucket.last_refill)) * before.rate_per_second),
        last_refill = greatest(bucket.last_refill, currant.now())
    where bucket.queue = change_queue.name;
    update currant.queues
    set file_settings = coalesce(change_queue.file_settings, queues.file_settings),
        command_settings = coalesce(change_queue.command_settings, queues.command_settings)
    where queues.name = change_queue.name
    returning * into after;
    if after.rate_limit is null then
        delete from currant.rate_limits where queue = change_queue.name;
    else
        insert into currant.rate_limits as bucket (queue, tokens, last_refill)
        values (change_queue.name, after.bucket_size, currant.now())
        on conflict (queue) do update set tokens = least(bucket.tokens, after.bucket_size);
    end if;
    perform pg_notify('currant_ready', change_queue.name);
end;
$$;
comment on function currant.change_queue(text, jsonb, jsonb) is
    'The one way to change settings: keeps what is in the bucket, and tells workers to look.';

-- Workers with the same file change nothing, and one whose file is older than another's is gone soon: until then the first one's stands.
create function currant.apply_files(worker_id uuid)
    returns table (queue text, setting text, held text, wanted text, answer text)
    language plpgsql volatile
as $$
#variable_conflict use_column
declare
    worker currant.worker_heartbeats;
    declared record;
    known currant.queues;
begin
    select * into worker from currant.worker_heartbeats where worker_heartbeats.id = apply_files.worker_id;
    for declared in select key as name, value as settings from jsonb_each(worker.queue_settings) order by key loop
        perform currant.use_queue(declared.name);
        select * into known from currant.queues where queues.name = declared.name for no key update;
        if exists (
            select from currant.worker_heartbeats other
            where other.lease_until > currant.now()
              and (other.started_at, other.id) < (worker.started_at, worker.id)
              and other.queue_settings -> declared.name <> declared.settings)
        then
            return query
                select declared.name, names.name, known.file_settings ->> names.name, declared.settings ->> names.name, 'conflict'
                from (select jsonb_object_keys(known.file_settings || declared.settings) as name) as names
                where known.file_settings -> names.name is distinct from declared.settings -> names.name
                order by names.name;
            continue;
        end if;
        return query
            select declared.name, names.name, currant.setting(known.file_settings, known.command_settings, names.name),
                   declared.settings ->> names.name,
                   case when known.command_settings ? names.name then 'commanded' else 'applied' end
            from (select jsonb_object_keys(known.file_settings || declared.settings) as name) as names
            where currant.setting(known.file_settings, known.command_settings, names.name)
                  is distinct from declared.settings ->> names.name
            order by names.name;
        if known.file_settings <> declared.settings then
            perform currant.change_queue(declared.name, file_settings => declared.settings);
        end if;
    end loop;
end;
$$;
comment on function currant.apply_files(uuid) is
    'Makes what a worker''s currant.toml says of queues hold; answers each setting that differs: applied, commanded (a value set by command stands), or conflict (a worker that runs longer says something else).';
