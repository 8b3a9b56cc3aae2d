-- Queues and the worker processes that serve them.

create table currant.queues (
    name       text primary key,
    paused     boolean not null default false,
    created_at timestamptz not null default currant.now(),

    constraint queue_name_is_plain check (name ~ '^[a-z0-9_.-]{1,100}$')
);
comment on table currant.queues is 'Settings of a queue. Inserted on first use; updated by pause and resume.';

create table currant.worker_heartbeats (
    id          uuid primary key,
    host        text not null,
    pid         integer not null,
    version     text not null,
    -- Null: every queue.
    queues      text[],
    slots       integer not null,
    running     integer not null default 0,
    started_at  timestamptz not null default currant.now(),
    lease_until timestamptz not null
);
comment on table currant.worker_heartbeats is
    'A worker process and its lease: while lease_until lies ahead, what it claimed is its own. Inserted and renewed by the worker; deleted by it at shutdown, or by another worker once its executions were returned.';
