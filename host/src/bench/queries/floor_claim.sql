-- $1 worker · $2 how many · $3 component. The rows of a claim, of one queue, and what a run needs to know.
with candidate as (
    select ready.id
    from currant.ready
    where ready.queue = 'default' and ready.priority = 0 and ready.run_at <= currant.now()
    order by ready.run_at, ready.id
    limit $2
    for update skip locked
), taken as (
    delete from currant.ready
    using candidate
    where ready.id = candidate.id
    returning ready.id, ready.run + 1 as run, ready.attempt, ready.forgiven, ready.losses, ready.rate_limited
), fenced as (
    insert into currant.running
        (id, run, worker_id, attempt, forgiven, losses, rate_limited, digest, claimed_at, heartbeat_at)
    select id, run, $1, attempt, forgiven, losses, rate_limited, $3, currant.now(), currant.now()
    from taken
)
select taken.id, taken.run, request.input::text as input, request.kind, request.parent_workflow_id as parent, request.parent_operation as operation
from taken
join currant.requests request on request.id = taken.id;
