-- $1 workflow · $2 chain
select position, run, kind, operation, name, hash, body, at, sum
from currant.journal
where workflow_id = $1 and chain = $2
order by position;
