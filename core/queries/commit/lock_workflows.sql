-- $1 workflows that the batch names · $2 executions that end: their parents are told, their children cancelled, and so are those
-- who wait for them. In the order of the ids, like everybody.
select id
from currant.workflows
where id in (
    select unnest($1::uuid[])
    union
    select unnest($2::uuid[])
    union
    select parent_workflow_id from currant.requests where id = any ($2) and parent_workflow_id is not null
    union
    select id from currant.requests where parent_workflow_id = any ($2) and not detached
    union
    select workflow_id from currant.waiters where target_id = any ($2)
)
order by id
for update;
