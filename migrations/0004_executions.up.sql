-- Executions. What is written once and what is hot live apart: `requests` and `outcomes` are only inserted, `ready` and `running` stay
-- tiny, and nothing on the claim path reads what history has left behind.
--
--   pending   a row in ready or parked        completed, failed,
--   running   a row in running                cancelled, timed_out   a row in outcomes
--   suspended an open workflow in neither

create table currant.requests (
    id                 uuid primary key,
    task_id            varchar(255),
    function           text not null,
    -- Null when nothing that was deployed offered the function; its kind is then that of the first deployment that does.
    kind               text,
    queue              text not null,
    priority           smallint not null,
    input              json not null,
    -- As in functions; null: what the function says.
    retry              json,
    timeouts           json,
    parent_workflow_id uuid,
    parent_chain       integer,
    parent_operation   integer,
    -- Outlives its parent.
    detached           boolean not null default false,
    -- The component of the workflow that started it, when nothing deployed offered the function any more: it runs on that one then.
    digest             bytea,
    concurrency_key    text,
    -- Null when there are none: an empty array takes 16 bytes of every row.
    tags               text[],
    -- W3C trace id, 16 bytes; null when the execution begins a trace, whose id is then its own. Its span is the second half of its id.
    trace_id           uuid,
    -- W3C baggage as a JSON object, or null.
    trace_context      json,
    created_at         timestamptz not null default currant.now(),

    constraint request_kind check (kind in ('task', 'workflow')),
    constraint request_parent_whole check (
        (parent_workflow_id is null) = (parent_operation is null) and (parent_workflow_id is null) = (parent_chain is null)),
    constraint request_task_id_not_empty check (task_id <> '')
);
create index requests_of_parent on currant.requests (parent_workflow_id) where parent_workflow_id is not null;
create index requests_on_former on currant.requests (digest) where digest is not null;
comment on table currant.requests is 'What was asked. Inserted by enqueue and by workflows that start children; never updated; deleted by retention.';
comment on index currant.requests_of_parent is 'cancelling a workflow''s children; showing its tree';
comment on index currant.requests_on_former is 'whether a component is still needed';

create table currant.ready (
    id              uuid primary key,
    queue           text not null,
    priority        smallint not null,
    run_at          timestamptz not null,
    attempt         integer not null,
    -- The run number that was last drawn; 0 before the first claim.
    run             integer not null default 0,
    -- Goes on with an attempt that was claimed before: a woken workflow, or an execution whose worker was lost. Such a claim
    -- is not held back by a pause, and takes no token.
    resumes         boolean not null default false,
    -- Failed attempts up to this number no longer count against the retry policy: somebody asked for a retry by hand.
    forgiven        integer not null default 0,
    -- Workers lost in a row without progress.
    losses          smallint not null default 0,
    rate_limited    smallint not null default 0,
    -- What the previous attempt said last by heartbeat.
    progress        json,
    -- The total timeout: what is still open then ends as timed_out.
    deadline        timestamptz,
    -- Ends as timed_out if it is still here then: the queue timeout or the total timeout, whichever comes first.
    expires_at      timestamptz,
    concurrency_key text,
    -- The worker that keeps the woken workflow in memory: others leave it to that one for a moment.
    resident_on     uuid,
    -- At the commit workers are told. One row of each queue and priority that a statement inserts is enough.
    rings           boolean
);
create index ready_claim on currant.ready (queue, priority desc, run_at, id);
create index ready_resuming on currant.ready (queue, priority desc, run_at, id) where resumes;
create index ready_by_key on currant.ready (queue, concurrency_key, priority desc, run_at, id) where concurrency_key is not null;
create index ready_expiry on currant.ready (expires_at) where expires_at is not null;
comment on table currant.ready is
    'Claimable from run_at on. Inserted only by whoever, in the same transaction, made the request, deleted its running, parked or outcomes row, or set its workflow from waiting to not waiting; deleted by the claim.';
comment on index currant.ready_claim is 'the claim: one ordered probe per queue and priority';
comment on index currant.ready_resuming is 'the claim in a paused queue';
comment on index currant.ready_by_key is 'the claim in a queue with a limit per key, when the first in line are held back by it';
comment on index currant.ready_expiry is 'maintenance: queue and total timeouts';

create table currant.running (
    id               uuid primary key,
    run              integer not null,
    worker_id        uuid not null,
    attempt          integer not null,
    forgiven         integer not null,
    losses           smallint not null,
    rate_limited     smallint not null,
    -- The component that runs it.
    digest           bytea,
    claimed_at       timestamptz not null,
    heartbeat_at     timestamptz not null,
    progress         json,
    deadline         timestamptz,
    cancel_requested boolean not null default false
);
create index running_of_worker on currant.running (worker_id);
comment on table currant.running is
    'A claimed execution, and the fence: every write of a run names (id, run) and locks this row; if it is gone, the run was taken over and nothing of it is written.';
comment on index currant.running_of_worker is 'returning what a lost worker had claimed';

create table currant.parked (
    id         uuid primary key,
    function   text not null,
    run_at     timestamptz not null,
    attempt    integer not null,
    run        integer not null,
    forgiven   integer not null,
    -- As in ready.
    progress   json,
    deadline   timestamptz,
    expires_at timestamptz
);
create index parked_function on currant.parked (function);
create index parked_expiry on currant.parked (expires_at) where expires_at is not null;
comment on index currant.parked_function is 'admitting what a deployment offers';
comment on index currant.parked_expiry is 'maintenance: queue and total timeouts';
comment on table currant.parked is 'Executions whose function nothing deployed offers. Moved to ready by the deployment that does.';

create table currant.outcomes (
    id         uuid primary key,
    status     text not null,
    kind       text,
    result     json,
    -- {"code", "message", "details", "retryable"}
    failure    json,
    attempt    integer not null,
    run        integer not null,
    worker_id  uuid,
    digest     bytea,
    -- Of a workflow: the environment that it was pinned to, the chain that ended, its input if it is not the request's, and what it
    -- published last.
    environment bigint,
    chain      integer,
    input      json,
    progress   json,
    -- When the last attempt was claimed; null if none was.
    started_at timestamptz,
    ended_at   timestamptz not null default currant.now(),

    constraint outcome_status check (status in ('completed', 'failed', 'cancelled', 'timed_out')),
    constraint outcome_result_of_completed check ((status = 'completed') = (result is not null)),
    constraint outcome_failure_of_others check ((status <> 'completed') = (failure is not null))
);
create index outcomes_in_environment on currant.outcomes (environment) where environment > 0 and status <> 'completed';
comment on index currant.outcomes_in_environment is 'whether an environment is still needed';
comment on table currant.outcomes is 'How it ended; the primary key says that nothing ends twice. Inserted at the end; retry moves it to attempts; deleted by retention.';

create table currant.attempts (
    id         uuid not null,
    run        integer not null,
    attempt    integer not null,
    failure    json not null,
    worker_id  uuid,
    progress   json,
    started_at timestamptz,
    ended_at   timestamptz not null default currant.now(),
    primary key (id, run)
);
comment on table currant.attempts is 'An ended attempt that was not the end. Inserted when an attempt failed and is tried again, or its worker was lost; never updated.';

create table currant.keys (
    task_id      varchar(255) primary key,
    execution_id uuid not null
);
comment on table currant.keys is
    'The execution that a task_id stands for. Decided under this row''s lock by enqueue: lock it, then read the execution''s status in a statement of its own.';

create table currant.logs (
    execution_id uuid not null,
    run          integer not null,
    line         integer not null,
    at           timestamptz not null,
    level        text not null,
    message      text not null,
    attributes   json,
    primary key (execution_id, run, line)
);
comment on table currant.logs is 'Log lines of an execution, bounded per execution. Append only.';

-- Rows of these live for moments: by a share of the table, which is nearly empty, vacuum would come whenever it is not needed, and by its
-- usual pace it would be slower than a busy worker makes dead rows. They are some pages, so it need not be gentle.
alter table currant.ready set
    (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
alter table currant.running set
    (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
