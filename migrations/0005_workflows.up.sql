-- What only workflows have: their own state, their news, and their journal.

create table currant.workflows (
    id               uuid primary key,
    -- True only while suspended: in neither ready nor running. Whoever sets it to false puts the workflow into ready.
    waiting          boolean not null default false,
    -- When the earliest timer that it waits for is due.
    until            timestamptz,
    -- The run that suspended it, or that pinned it or published something last; 0 before.
    run              integer not null default 0,
    losses           smallint not null default 0,
    attempt          integer not null default 1,
    forgiven         integer not null default 0,
    -- The component that it is pinned to, from its first journal entry on.
    digest           bytea,
    -- Once it is pinned: the environment that it stays in; 0 is the empty one.
    environment      bigint not null default 0,
    chain            integer not null default 1,
    -- The input of a later chain; null: that of the request.
    input            json,
    progress         json,
    -- What its author should know: that its journal is nearly full. One line for each limit that is near.
    warning          text,
    next_arrival     integer not null default 1,
    -- When its cancellation was requested; -infinity once it was cancelled again, and has no grace any more.
    cancel_requested_at timestamptz,
    -- The total timeout: ends as timed_out if it is still open then.
    deadline         timestamptz,
    -- While it waits: the worker that keeps it in memory, if one does.
    resident_on      uuid,

    constraint workflow_until_only_while_waiting check (until is null or waiting)
);
create index workflows_until on currant.workflows (until) where until is not null;
create index workflows_deadline on currant.workflows (deadline) where deadline is not null;
create index workflows_cancelled on currant.workflows (cancel_requested_at) where cancel_requested_at is not null;
comment on table currant.workflows is
    'One row per open workflow, and the lock that suspending and waking share: lock it in a statement of its own, then look and write in the next. Inserted with the request (also while the kind is not known), deleted at the end.';
comment on index currant.workflows_until is 'maintenance: due timers';
comment on index currant.workflows_deadline is 'maintenance: total timeouts';
comment on index currant.workflows_cancelled is 'maintenance: cancelled workflows whose grace period is over';

create table currant.inbox (
    workflow_id uuid not null,
    -- In the order of arrival, drawn from workflows.next_arrival under its lock.
    arrival     integer not null,
    kind        text not null,
    -- Of a completion: what completed. Completions of an earlier chain are ignored.
    chain       integer,
    operation   integer,
    -- Of a signal: its name.
    name        text,
    -- A signal's payload, or the result of what completed.
    result      json,
    -- The failure of what failed.
    failure     json,
    at          timestamptz not null default currant.now(),
    primary key (workflow_id, arrival),

    constraint inbox_kind check (kind in ('completion', 'signal', 'cancel')),
    constraint inbox_completion_names_operation check ((kind = 'completion') = (operation is not null and chain is not null)),
    constraint inbox_signal_has_name check ((kind = 'signal') = (name is not null)),
    constraint inbox_one_content check ((result is not null)::int + (failure is not null)::int = (kind <> 'cancel')::int)
);
comment on table currant.inbox is
    'News for a workflow. Inserted with a wake, in the transaction that makes the news; deleted in the transaction that journals its delivery, or when the workflow completed.';

create table currant.signal_keys (
    workflow_id uuid not null,
    dedup_id    text not null,
    primary key (workflow_id, dedup_id)
);
comment on table currant.signal_keys is 'Signals that were sent with a dedup_id, so that sending one again does nothing. Deleted with the execution.';

create table currant.waiters (
    target_id   uuid not null,
    workflow_id uuid not null,
    chain       integer not null,
    operation   integer not null,
    primary key (target_id, workflow_id, chain, operation)
);
create index waiters_of_workflow on currant.waiters (workflow_id);
comment on index currant.waiters_of_workflow is 'closing a workflow; retrying one by hand';
comment on table currant.waiters is
    'A workflow''s operation that waits for an execution which somebody else started under the same task_id. Deleted when the news is delivered to the inbox, or when the workflow completed or began a new chain.';

create table currant.journal (
    workflow_id uuid not null,
    chain       integer not null,
    position    integer not null,
    -- The run that wrote it, and with the first entry of a run the worker whose run it was.
    run         integer not null,
    worker_id   uuid,
    -- The checksum of what a replay reads: a row that was changed since, or put elsewhere, is told from what the workflow did.
    sum         integer not null,
    kind        text not null,
    operation   integer,
    name        text,
    -- The first 16 bytes of a SHA-256 over what the call said and the columns do not show.
    hash        bytea,
    body        json,
    -- Of a delivery and of the start: the workflow's time from here on. Of a command: when it was recorded; timers count from it.
    at          timestamptz not null,
    primary key (workflow_id, chain, position)
);
comment on table currant.journal is
    'The history of a workflow: what it started, and in which order results reached it. Append only, but that a retry by hand takes a failure at its end back; its primary key makes a stale append fail.';

-- As those of ready and running; but open workflows may be many, so that a share of them counts too.
alter table currant.workflows set
    (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
alter table currant.inbox set
    (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
