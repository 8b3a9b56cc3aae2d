-- $1 workflow: all of its chains. Who a run's worker was is said with its first entry.
select chain, position, run, first_value(worker_id) over (partition by run order by chain, position) as worker_id, kind, operation, name,
       hash, body, at, sum
from currant.journal
where workflow_id = $1
order by chain, position;
