-- $1 how many · $2 the grace period in milliseconds. Cancelled workflows that have not ended within it, but for those whose worker was told.
select workflow.id
from currant.workflows workflow
where workflow.cancel_requested_at <= currant.now() - $2::bigint * interval '1 ms'
  and not exists (select from currant.running where running.id = workflow.id and running.cancel_requested)
order by workflow.cancel_requested_at
limit $1;
