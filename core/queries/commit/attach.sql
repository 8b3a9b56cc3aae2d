-- $1 children with a key · $2 their keys · $3 parents · $4 chains · $5 operations
-- Answers the executions that hold the key in place of the child; each parent's operation waits for its own.
insert into currant.waiters (target_id, workflow_id, chain, operation)
select key.execution_id, asked.parent, asked.chain, asked.operation
from unnest($1::uuid[], $2::text[], $3::uuid[], $4::integer[], $5::integer[]) as asked (id, task_id, parent, chain, operation)
join currant.keys key on key.task_id = asked.task_id and key.execution_id <> asked.id
on conflict do nothing
returning target_id;
