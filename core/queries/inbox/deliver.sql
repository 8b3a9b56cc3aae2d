-- $1 workflows · $2 the arrivals that are delivered
delete from currant.inbox
using unnest($1::uuid[], $2::integer[]) as delivered (workflow_id, arrival)
where inbox.workflow_id = delivered.workflow_id and inbox.arrival = delivered.arrival;
