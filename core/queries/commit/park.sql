-- $1 executions · $2 the time of this commit
with released as (
    delete from currant.running where id = any ($1::uuid[]) returning id, attempt, run, forgiven, progress, deadline
)
insert into currant.parked (id, function, run_at, attempt, run, forgiven, progress, deadline, expires_at)
select released.id, request.function, $2::timestamptz, released.attempt, released.run, released.forgiven, released.progress,
       released.deadline, released.deadline
from released
join currant.requests request on request.id = released.id;
