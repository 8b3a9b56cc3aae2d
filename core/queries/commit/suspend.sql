-- $1 workflows · $2 when their earliest timer on record is due · $3 the shortest timer of this commit, in milliseconds · $4 the highest
-- arrival that each has loaded · $5 the worker that keeps each in memory, or null · $6 the time of this commit
-- Their rows are locked by an earlier statement, so that this one sees every news there is. Answers those that are suspended.
with wanting as (
    select asked.id, asked.seen, asked.resident_on, least(asked.until, $6::timestamptz + asked.new_timer_ms * interval '1 ms') as until
    from unnest($1::uuid[], $2::timestamptz[], $3::bigint[], $4::integer[], $5::uuid[])
         as asked (id, until, new_timer_ms, seen, resident_on)
), idle as (
    select wanting.*, held.place
    from wanting
    -- As in `end`.
    cross join lateral (select running.ctid as place from currant.running where running.id = wanting.id offset 0) as held
    where (until is null or until > currant.now())
      and not exists (select from currant.inbox where inbox.workflow_id = wanting.id and inbox.arrival > wanting.seen)
), released as (
    delete from currant.running
    using idle
    where running.ctid = idle.place
    returning running.id, running.run, running.attempt, running.forgiven, running.deadline
)
update currant.workflows workflow
set waiting = true, until = idle.until, run = released.run, attempt = released.attempt, forgiven = released.forgiven, losses = 0,
    deadline = released.deadline, resident_on = idle.resident_on
from idle
join released on released.id = idle.id
where workflow.id = idle.id
returning workflow.id;
