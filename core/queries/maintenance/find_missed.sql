-- $1 how many. Executions that have ended, and for which an open workflow still waits.
select distinct waiter.target_id
from currant.waiters waiter
join currant.outcomes outcome on outcome.id = waiter.target_id
join currant.workflows workflow on workflow.id = waiter.workflow_id
order by waiter.target_id
limit $1;
