-- $1 status · $2 function · $3 queue · $4 parent · $5 asked for before this one · $6 how many · $7 tag
select *
from currant.executions
where ($1::text is null or status = $1)
  and ($2::text is null or function = $2)
  and ($3::text is null or queue = $3)
  and ($4::uuid is null or parent_workflow_id = $4)
  and ($5::uuid is null or id < $5)
  and ($7::text is null or $7 = any (tags))
order by id desc
limit $6;
