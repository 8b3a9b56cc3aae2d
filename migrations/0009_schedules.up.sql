-- Schedules: executions that start by the calendar. What a cron expression means is known to workers; that a time fires once, to these tables.

create table currant.schedules (
    name           text primary key,
    cron           text not null,
    -- A name of the IANA database: Europe/Berlin.
    timezone       text not null,
    function       text not null,
    input          json not null,
    queue          text,
    priority       smallint,
    tags           text[] not null default '{}',
    -- What happens when it is time, and what was started before still goes on.
    overlap        text not null,
    -- A time that passed longer ago than this is missed: nothing ran that could have started it.
    catch_up       interval not null,
    -- Starts are spread over so long a time behind theirs, so that not everything begins at the full hour.
    jitter         interval not null,
    paused         boolean not null default false,
    -- The next time; null when there is none any more.
    next_at        timestamptz,
    created_at     timestamptz not null default currant.now(),

    constraint schedule_name_is_plain check (name ~ '^[a-z0-9_.-]{1,100}$'),
    constraint schedule_overlap check (overlap in ('skip', 'queue', 'allow')),
    constraint schedule_lengths_not_negative check (catch_up >= interval '0' and jitter >= interval '0')
);
create index schedules_due on currant.schedules (next_at) where not paused;
comment on table currant.schedules is 'A cron entry. Inserted, paused and deleted by commands; next_at is moved on by the worker that fires it.';
comment on index currant.schedules_due is 'workers look for schedules whose time has come';

create table currant.schedule_fires (
    schedule     text not null,
    -- The time by the calendar, not that of the start.
    fire_at      timestamptz not null,
    status       text not null,
    execution_id uuid,
    decided_at   timestamptz not null default currant.now(),
    primary key (schedule, fire_at),

    constraint fire_status check (status in ('started', 'skipped', 'waiting')),
    constraint fire_started_is_an_execution check ((status = 'started') = (execution_id is not null))
);
create index schedule_fires_decided on currant.schedule_fires (schedule, decided_at desc, fire_at desc) where status = 'started';
create index schedule_fires_waiting on currant.schedule_fires (schedule, fire_at) where status = 'waiting';
comment on table currant.schedule_fires is
    'One row per schedule and time: the primary key is why a time fires once, whatever number of workers look and whatever becomes of them. Inserted with the execution, in one transaction; a waiting one is updated when it starts; deleted with the schedule, and by retention.';
comment on index currant.schedule_fires_decided is 'what a schedule started last';
comment on index currant.schedule_fires_waiting is 'times that wait for the end of what was started before';

create function currant.schedule_goes_on(name text) returns boolean
    language sql stable
as $$
    select exists (
        select
        from (
            select past.execution_id
            from currant.schedule_fires past
            where past.schedule = name and past.status = 'started'
            order by past.decided_at desc, past.fire_at desc
            limit 1
        ) as last
        where currant.status_of(last.execution_id) not in ('completed', 'failed', 'cancelled', 'timed_out'))
$$;
comment on function currant.schedule_goes_on(text) is 'Whether what a schedule started last has not ended.';

create function currant.start_scheduled(schedule currant.schedules, fire_at timestamptz) returns uuid
    language plpgsql volatile
as $$
declare
    -- The same for everybody who asks, and different from one time to the next.
    share constant double precision := (hashtextextended(schedule.name || fire_at::text, 0) & 65535) / 65536.0;
    started uuid;
begin
    select enqueued.id into started
    from currant.enqueue(
        schedule.function, schedule.input, queue => schedule.queue, run_at => fire_at + share * schedule.jitter,
        priority => schedule.priority, tags => schedule.tags || ('schedule:' || schedule.name)) as enqueued;
    return started;
end;
$$;
comment on function currant.start_scheduled(currant.schedules, timestamptz) is 'Starts the execution of one time of a schedule.';

create function currant.fire(name text, fire_at timestamptz, overlap text default null) returns text
    language plpgsql volatile
as $$
#variable_conflict use_column
declare
    schedule currant.schedules;
    policy text;
    goes_on boolean;
    fate text := 'started';
begin
    select * into schedule from currant.schedules where schedules.name = fire.name for no key update;
    if not found then
        raise exception 'there is no schedule %', quote_literal(fire.name) using errcode = 'CU404';
    end if;
    -- Under the schedule''s lock: nobody decides another time of it now.
    if exists (select from currant.schedule_fires past where past.schedule = fire.name and past.fire_at = fire.fire_at) then
        return 'fired before';
    end if;
    policy := coalesce(fire.overlap, schedule.overlap);
    if policy <> 'allow' then
        goes_on := exists (select from currant.schedule_fires past where past.schedule = fire.name and past.status = 'waiting')
                   or currant.schedule_goes_on(fire.name);
        if goes_on then
            fate := case policy when 'skip' then 'skipped' else 'waiting' end;
        end if;
    end if;
    insert into currant.schedule_fires (schedule, fire_at, status, execution_id)
    values (fire.name, fire.fire_at, fate,
            case when fate = 'started' then currant.start_scheduled(schedule, fire.fire_at) end);
    return fate;
end;
$$;
comment on function currant.fire(text, timestamptz, text) is
    'Starts what a schedule starts at this time, once: started, skipped or waiting (what was started before goes on), or fired before.';

create function currant.fire_waiting(at_most integer) returns integer
    language plpgsql volatile
as $$
declare
    waiting record;
    known currant.schedules;
    fired integer := 0;
begin
    for waiting in
        select distinct on (past.schedule) past.schedule, past.fire_at
        from currant.schedule_fires past
        where past.status = 'waiting'
        order by past.schedule, past.fire_at
        limit at_most
    loop
        select * into known from currant.schedules where schedules.name = waiting.schedule and not paused for no key update skip locked;
        continue when not found;
        continue when currant.schedule_goes_on(waiting.schedule);
        update currant.schedule_fires fire
        set status = 'started', execution_id = currant.start_scheduled(known, currant.now()), decided_at = currant.now()
        where fire.schedule = waiting.schedule and fire.fire_at = waiting.fire_at and fire.status = 'waiting';
        if found then
            fired := fired + 1;
        end if;
    end loop;
    return fired;
end;
$$;
comment on function currant.fire_waiting(integer) is 'Starts times that waited for the end of what their schedule had started before.';
