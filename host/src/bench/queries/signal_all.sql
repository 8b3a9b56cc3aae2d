-- $1 at most so many workflows that have not yet been told, in the order of their ids
select count(currant.signal(id, 'go'))
from (
    select workflow.id
    from currant.workflows workflow
    where not exists (select from currant.inbox where inbox.workflow_id = workflow.id) and workflow.waiting
    order by workflow.id
    limit $1
) as untold;
