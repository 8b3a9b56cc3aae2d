-- $1 workflow: all of its chains
select chain, position, run, kind, operation, name, hash, body, at, sum
from currant.journal
where workflow_id = $1
order by chain, position;
