-- Deployed components, the functions that they offer, and what they may touch.

create table currant.modules (
    digest       bytea primary key,
    size         integer not null,
    -- Null when nothing needs them any more: see retention.
    bytes        bytea,
    -- What `describe` said; null until a worker has inspected the component.
    description  json,
    -- How often an inspection of these bytes has begun and not ended: a component that kills its inspector is refused at two.
    inspections  smallint not null default 0,
    uploaded_at  timestamptz not null default currant.now(),
    inspected_at timestamptz,

    constraint module_digest_is_sha256 check (octet_length(digest) = 32),
    constraint module_inspected_or_not check ((description is null) = (inspected_at is null))
);
-- A component is compressed neither by us nor by Postgres: it is read whole, and seldom.
alter table currant.modules alter column bytes set storage external;
comment on table currant.modules is
    'A component by the SHA-256 of its bytes. Inserted by deploy, described once by the worker that inspects it. Retention drops the bytes of what nothing can need any more; deploying it again stores them anew.';

create table currant.deployments (
    id           bigint generated always as identity primary key,
    digest       bytea not null references currant.modules,
    status       text not null default 'requested',
    -- The module's name; known when the component was inspected.
    module       text,
    -- Whether this deployment may take over functions that belong to another module.
    take_over    boolean not null default false,
    -- Grants that come with it, as {"http": ["host:port", …], "env": {"NAME": "value", …}}; null keeps those that the module has.
    -- Emptied by the decision: from then on the values, which may be secrets, are in environments only.
    grants       json,
    -- Why it was refused, for people.
    reason       text,
    requested_at   timestamptz not null default currant.now(),
    -- When a worker last began to inspect it.
    inspected_from timestamptz,
    decided_at     timestamptz,
    decided_by     uuid,

    constraint deployment_status check (status in ('requested', 'deployed', 'refused')),
    constraint deployment_decided_or_not check ((status = 'requested') = (decided_at is null)),
    constraint deployment_refused_with_reason check ((status = 'refused') = (reason is not null))
);
create index deployments_requested on currant.deployments (id) where status = 'requested';
comment on table currant.deployments is
    'A request to make a component current, and its answer. Inserted by deploy, decided once by the worker that inspects it. The last deployed one of a module is its current version; the others are its history.';
comment on index currant.deployments_requested is 'workers look for deployments to decide';

create table currant.functions (
    name          text primary key,
    module        text not null,
    digest        bytea not null references currant.modules,
    kind          text not null,
    queue         text not null,
    priority      smallint not null,
    -- {"retries", "backoff_ms", "multiplier", "max_backoff_ms"}; null: the default of its kind.
    retry         json,
    -- {"queue_ms", "attempt_ms", "heartbeat_ms", "total_ms"}, each optional.
    timeouts      json,
    description   text,
    input_schema  json,
    result_schema json,

    constraint function_name_is_plain check (name ~ '^[a-z0-9_.-]{1,100}$'),
    constraint function_kind check (kind in ('task', 'workflow'))
);
create index functions_of_module on currant.functions (module);
comment on index currant.functions_of_module is 'replacing what a module offers';
comment on table currant.functions is
    'The digest that serves a function now, and the settings that hold when a caller says nothing else. Replaced by each deployment of its module. A name keeps its kind for ever.';

create table currant.function_kinds (
    name text primary key,
    kind text not null,

    constraint function_kind_is_known check (kind in ('task', 'workflow'))
);
comment on table currant.function_kinds is
    'The kind of every function that was ever deployed: executions that are kept rely on it. Inserted by the first deployment that offers the name; never changed.';

create table currant.grants (
    module text not null,
    -- HOST:PORT
    host   text not null,
    primary key (module, host)
);
comment on table currant.grants is
    'Whom a module may call by HTTP. Nothing is granted by default. Replaced by a deployment that names grants, for everybody at once.';

create table currant.environments (
    id         bigint generated always as identity primary key,
    module     text not null,
    -- {"NAME": "value", …}: they may be secrets.
    variables  json not null,
    granted_at timestamptz not null default currant.now()
);
create index environments_of_module on currant.environments (module, id desc);
comment on index currant.environments_of_module is 'the environment in which a module''s tasks run now, and its workflows begin';
comment on table currant.environments is
    'The variables of a module''s environment; without a row there are none. The last one is the current one; a workflow stays in the one that it began in. Inserted by a deployment that names other variables; never updated; those that nothing can need any more are deleted by retention.';
