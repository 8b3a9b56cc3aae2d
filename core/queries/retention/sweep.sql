-- $1 after this execution · $2 how many to look at · $3 how many to delete at most · $4 ended longer ago than so many milliseconds,
-- instead of what the queues say · $5 status · $6 queue · $7 whether to delete them, or only to count
-- Deletes executions that are kept long enough, with everything that belongs to them. In the order of their ids, which is that of their
-- time: what ended long ago was asked for longer ago. Nobody waits for it: what is locked is left for the next pass.
-- A child stays with its parent; only those that an earlier chain of an open workflow started have a retention of their own.
with recursive shortest as materialized (
    select least(interval '7 days', min(currant.milliseconds(kept.length))) as length
    from currant.queues queue
    cross join lateral (
        values (currant.setting(queue.file_settings, queue.command_settings, 'retention_tasks')),
               (currant.setting(queue.file_settings, queue.command_settings, 'retention_workflows')),
               (currant.setting(queue.file_settings, queue.command_settings, 'retention_failed')),
               (currant.setting(queue.file_settings, queue.command_settings, 'retention_cancelled'))
    ) as kept (length)
), examined as materialized (
    select outcome.id, outcome.status, outcome.kind, outcome.ended_at
    from currant.outcomes outcome
    where outcome.id > $1
      and outcome.id < currant.first_id_at(
          currant.now() - coalesce(case when $4::bigint is not null then least($4::bigint, 60000000000) end * interval '1 ms',
                                   greatest(interval '1 minute', (select shortest.length from shortest))))
    order by outcome.id
    limit $2
), expired as materialized (
    select examined.id
    from examined
    join currant.requests request on request.id = examined.id
    where currant.now() - examined.ended_at >= greatest(
              interval '1 minute',
              coalesce($4::bigint * interval '1 ms', currant.retention(request.queue, examined.kind, examined.status)))
      and ($5::text is null or examined.status = $5)
      and ($6::text is null or request.queue = $6)
      and (request.parent_workflow_id is null or request.detached
           or not exists (select from currant.requests parent where parent.id = request.parent_workflow_id)
           or exists (select from currant.workflows parent
                      where parent.id = request.parent_workflow_id and parent.chain > request.parent_chain))
      -- Another workflow waits for it, or a child of its own has not ended.
      and not exists (
          select from currant.waiters waiter
          join currant.workflows workflow on workflow.id = waiter.workflow_id
          where waiter.target_id = examined.id)
      and not exists (
          select from currant.requests child
          where child.parent_workflow_id = examined.id and not child.detached
            and not exists (select from currant.outcomes outcome where outcome.id = child.id))
), family as (
    select expired.id from expired
    union
    select child.id
    from family
    cross join lateral (
        select request.id
        from currant.requests request
        where request.parent_workflow_id = family.id and not request.detached
          and exists (select from currant.outcomes outcome where outcome.id = request.id)
        offset 0
    ) as child
), member as materialized (
    select family.id from family limit $3
), whole as materialized (
    -- Of a family that is too large for one batch the youngest generation goes first: nobody is left without a parent.
    select member.id, request.task_id
    from member
    join currant.requests request on request.id = member.id
    where not exists (
        select from currant.requests child
        where child.parent_workflow_id = member.id and not child.detached
          and exists (select from currant.outcomes outcome where outcome.id = child.id)
          and child.id not in (select member.id from member))
), decided as materialized (
    -- Under a key's lock it is decided what the key stands for: enqueue waits for nobody here, and neither do we.
    select key.task_id
    from currant.keys key
    join whole on whole.task_id = key.task_id and whole.id = key.execution_id
    where $7
    order by key.task_id
    for update of key skip locked
), doomed as materialized (
    select outcome.id, whole.task_id
    from currant.outcomes outcome
    join whole on whole.id = outcome.id
    where $7
      and (whole.task_id is null
           or whole.task_id in (select decided.task_id from decided)
           or not exists (select from currant.keys other where other.task_id = whole.task_id and other.execution_id = whole.id))
    for update of outcome skip locked
), without_outcome as (
    delete from currant.outcomes using doomed where outcomes.id = doomed.id
), without_request as (
    delete from currant.requests using doomed where requests.id = doomed.id
), without_attempts as (
    delete from currant.attempts using doomed where attempts.id = doomed.id
), without_logs as (
    delete from currant.logs using doomed where logs.execution_id = doomed.id
), without_journal as (
    delete from currant.journal using doomed where journal.workflow_id = doomed.id
), without_news as (
    delete from currant.inbox using doomed where inbox.workflow_id = doomed.id
), without_signal_keys as (
    delete from currant.signal_keys using doomed where signal_keys.workflow_id = doomed.id
), without_waiters as (
    delete from currant.waiters using doomed where waiters.target_id = doomed.id
), without_waits as (
    delete from currant.waiters using doomed where waiters.workflow_id = doomed.id
), without_key as (
    delete from currant.keys using doomed where keys.task_id = doomed.task_id and keys.execution_id = doomed.id
)
select (select count(*) from doomed) as deleted,
       (select count(*) from member) as found,
       (select count(*) from member) >= $3 as is_full,
       (select examined.id from examined order by examined.id desc limit 1) as last,
       (select count(*) from examined) as examined;
