-- $1 module · $2 versions of it · $3 whether its functions would go too. Open executions that need them: workflows that began on one of them,
-- what runs on one of them, and what waits for a function that nothing else offers.
select count(*)
from (
    select workflow.id from currant.workflows workflow where workflow.digest = any ($2::bytea[])
    union
    select running.id from currant.running where running.digest = any ($2::bytea[])
    union
    select request.id
    from currant.requests request
    where request.digest = any ($2::bytea[]) and not exists (select from currant.outcomes outcome where outcome.id = request.id)
    union
    select open.id
    from (
        select id from currant.ready
        union
        select id from currant.running
        union
        select id from currant.workflows
    ) as open
    join currant.requests request on request.id = open.id
    join currant.functions offered on offered.name = request.function
    where $3 and offered.module = $1
) as needing;
