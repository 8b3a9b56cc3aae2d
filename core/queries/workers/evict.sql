-- $1 worker · $2 workflows that it no longer keeps in memory. Rows that somebody else holds are being woken: what they say is past.
with gone as (
    select id from currant.workflows where id = any ($2::uuid[]) and resident_on = $1 order by id for update skip locked
)
update currant.workflows workflow
set resident_on = null
from gone
where workflow.id = gone.id;
