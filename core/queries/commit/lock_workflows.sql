-- $1 workflows that the batch writes · $2 executions that end, begin anew or are given up: their open children are cancelled, and so on
-- downwards; whoever waits for one of them is told. In the order of the ids, like everybody.
-- `offset 0` keeps the children a probe of the index for each of the family: as a join, planned while the tables were small, it would go on
-- to read every child that there has ever been.
with recursive family as (
    select unnest($2::uuid[]) as id
    union
    select child.id
    from family
    cross join lateral (
        select request.id
        from currant.requests request
        where request.parent_workflow_id = family.id and not request.detached
          and not exists (select from currant.outcomes outcome where outcome.id = request.id)
        offset 0
    ) as child
)
select workflow.id
from currant.workflows workflow
where workflow.id in (
    select unnest($1::uuid[])
    union
    select family.id from family
    union
    select request.parent_workflow_id
    from family
    join currant.requests request on request.id = family.id
    union
    select waiter.workflow_id
    from family
    join currant.waiters waiter on waiter.target_id = family.id
)
order by workflow.id
for update;
