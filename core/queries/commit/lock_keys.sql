-- $1 keys, sorted · $2 the child that asks for each. The lock of a key stays until the end of the transaction.
select currant.claim_key(asked.task_id, asked.id)
from unnest($1::text[], $2::uuid[]) with ordinality as asked (task_id, id, number)
order by asked.number;
