-- $1 workflows · $2 inputs. Signals stay; what completes for the old chain is of no use any more.
with next as (
    select * from unnest($1::uuid[], $2::json[]) as next (id, input)
), released as (
    delete from currant.running
    using next
    where running.id = next.id
    returning running.id, running.run, running.attempt, running.forgiven, running.deadline
), renewed as (
    update currant.workflows workflow
    set chain = workflow.chain + 1, input = next.input, digest = null, environment = 0, warning = null
    from next
    where workflow.id = next.id
), dropped as (
    delete from currant.inbox using next where inbox.workflow_id = next.id and inbox.kind = 'completion'
), unattached as (
    delete from currant.waiters using next where waiters.workflow_id = next.id
), readied as (
    insert into currant.ready
        (id, queue, priority, run_at, attempt, run, resumes, forgiven, deadline, expires_at, concurrency_key)
    select released.id, request.queue, request.priority, currant.now(), released.attempt, released.run, true,
           released.forgiven, released.deadline, released.deadline, request.concurrency_key
    from released
    join currant.requests request on request.id = released.id
    returning queue, priority
)
select pg_notify('currant_ready', queue || ' ' || priority) from (select distinct queue, priority from readied) as lines;
