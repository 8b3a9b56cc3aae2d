-- $1 module · $2 digest · $3 names · $4 kinds · $5 queues · $6 priorities · $7 retry policies · $8 timeouts · $9 descriptions ·
-- $10 input schemas · $11 result schemas
with offered as (
    select *
    from unnest($3::text[], $4::text[], $5::text[], $6::smallint[], $7::json[], $8::json[], $9::text[], $10::json[], $11::json[])
         as offered (name, kind, queue, priority, retry, timeouts, description, input_schema, result_schema)
), kinds as (
    insert into currant.function_kinds (name, kind) select name, kind from offered on conflict do nothing
), queues as (
    insert into currant.queues (name) select distinct queue from offered on conflict do nothing
)
insert into currant.functions
    (name, module, digest, kind, queue, priority, retry, timeouts, description, input_schema, result_schema)
select name, $1, $2, kind, queue, priority, retry, timeouts, description, input_schema, result_schema
from offered
on conflict (name) do update
set module = excluded.module, digest = excluded.digest, queue = excluded.queue, priority = excluded.priority, retry = excluded.retry,
    timeouts = excluded.timeouts, description = excluded.description, input_schema = excluded.input_schema,
    result_schema = excluded.result_schema;
