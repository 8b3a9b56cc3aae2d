-- $1 the grace period of cancelled workflows, in milliseconds
-- What there is to do, in one statement that reads no more than the first entry of each index; an idle worker does nothing else.
select exists (
           select
           from currant.running
           left join currant.worker_heartbeats worker on worker.id = running.worker_id and worker.lease_until > currant.now()
           where worker.id is null
       ) or exists (
           select from currant.worker_heartbeats worker where worker.lease_until <= currant.now()
       ) as lost,
       exists (select from currant.ready where expires_at <= currant.now())
           or exists (select from currant.parked where expires_at <= currant.now())
           or exists (select from currant.workflows where deadline <= currant.now() and waiting) as overdue,
       exists (
           select
           from currant.functions offered
           cross join lateral (select from currant.parked where parked.function = offered.name limit 1) as waiting
       ) as unparkable,
       exists (
           select
           from currant.workflows workflow
           where workflow.cancel_requested_at <= currant.now() - $1::bigint * interval '1 ms'
             and not exists (select from currant.running where running.id = workflow.id and running.cancel_requested)
       ) as ungraceful,
       exists (select from currant.workflows where until <= currant.now()) as due,
       exists (select from currant.schedules where next_at <= currant.now() and not paused)
           or exists (select from currant.schedule_fires where status = 'waiting') as scheduled,
       exists (
           select
           from currant.deployments
           where status = 'requested' and coalesce(inspected_from < currant.now() - interval '2 minutes', true)
       ) as undecided,
       (extract(epoch from least(
           (select min(until) from currant.workflows where until > currant.now()),
           (select min(next_at) from currant.schedules where next_at > currant.now() and not paused),
           (select min(expires_at) from currant.ready where expires_at > currant.now()),
           (select min(expires_at) from currant.parked where expires_at > currant.now()),
           (select min(deadline) from currant.workflows where deadline > currant.now()),
           (select min(cancel_requested_at) from currant.workflows
            where cancel_requested_at > currant.now() - $1::bigint * interval '1 ms') + $1::bigint * interval '1 ms'
       ) - currant.now()) * 1000)::bigint as next_in_ms;
