-- $1 how many. Locked rows are in somebody's hands: a waker's, or a worker's that looks into the inbox; the next pass sees them.
with due as (
    select id
    from currant.workflows
    where until <= currant.now()
    order by until
    limit $1
    for update skip locked
), woken as (
    update currant.workflows workflow
    set waiting = false, until = null
    from due
    where workflow.id = due.id and workflow.waiting
    returning workflow.id, workflow.run, workflow.attempt, workflow.forgiven, workflow.losses, workflow.deadline,
              workflow.resident_on
), readied as (
    insert into currant.ready
        (id, queue, priority, run_at, attempt, run, resumes, forgiven, losses, deadline, expires_at, concurrency_key, resident_on)
    select woken.id, request.queue, request.priority, currant.now(), woken.attempt, woken.run, true, woken.forgiven, woken.losses,
           woken.deadline, woken.deadline, request.concurrency_key, woken.resident_on
    from woken
    join currant.requests request on request.id = woken.id
    returning queue, priority
), hinted as (
    select count(pg_notify('currant_ready', queue || ' ' || priority)) as lines from (select distinct queue, priority from readied) as lines
)
select count(*) from readied where (select lines from hinted) >= 0;
