-- $1 workflows · $2 the highest arrival that each has seen
select inbox.workflow_id, inbox.arrival, inbox.kind, inbox.chain, inbox.operation, inbox.name, inbox.result, inbox.failure, inbox.at
from unnest($1::uuid[], $2::integer[]) as reader (workflow_id, seen)
join currant.inbox on inbox.workflow_id = reader.workflow_id and inbox.arrival > reader.seen
order by inbox.workflow_id, inbox.arrival;
