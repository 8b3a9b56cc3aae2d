-- $1 worker · $2 how many · $3 component · $4 from when on to look. The rows of a claim, of one queue, and what a run needs to know. It need
-- not be durable: one that is lost is made again.
with candidate as (
    select ready.id
    from currant.ready
    where ready.queue = 'default' and ready.priority = 0 and ready.run_at between $4 and currant.now()
    order by ready.run_at, ready.id
    limit $2
    for update skip locked
), taken as (
    delete from currant.ready
    using candidate
    where ready.id = candidate.id
    returning ready.id, ready.run_at, ready.run + 1 as run, ready.attempt, ready.forgiven, ready.losses, ready.rate_limited
), fenced as (
    insert into currant.running
        (id, run, worker_id, attempt, forgiven, losses, rate_limited, digest, claimed_at, heartbeat_at)
    select id, run, $1, attempt, forgiven, losses, rate_limited, $3, currant.now(), currant.now()
    from taken
)
select taken.id, taken.run_at, taken.run, request.input::text as input, request.kind, request.parent_workflow_id as parent, request.parent_operation as operation
from taken
join currant.requests request on request.id = taken.id
cross join (select set_config('synchronous_commit', 'off', true)) as in_no_hurry;
