-- $1 executions · $2 runs · $3 lines · $4 times · $5 levels · $6 messages · $7 attributes
insert into currant.logs (execution_id, run, line, at, level, message, attributes)
select *
from unnest($1::uuid[], $2::integer[], $3::integer[], $4::timestamptz[], $5::text[], $6::text[], $7::json[])
on conflict do nothing;
