-- $1 workflows, locked by an earlier statement · $2 the grace period in milliseconds · $3 why they end
select count(currant.stop_workflow(workflow.id, $3))
from currant.workflows workflow
where workflow.id = any ($1::uuid[]) and workflow.cancel_requested_at <= currant.now() - $2::bigint * interval '1 ms';
