-- $1 deployment · $2 module. A deployment without grants leaves them as they are; afterwards the values are only in the grants.
with wanted as (
    update currant.deployments set module = $2 where id = $1 returning grants
), granted as (
    select 'http' as kind, host.name, null::text as value
    from wanted, json_array_elements_text(wanted.grants -> 'http') as host (name)
    union
    select 'env', variable.key, variable.value
    from wanted, json_each_text(wanted.grants -> 'env') as variable
), dropped as (
    delete from currant.grants
    using wanted
    where grants.module = $2 and wanted.grants is not null
      and not exists (select from granted where granted.kind = grants.kind and granted.name = grants.name)
)
insert into currant.grants (module, kind, name, value)
select $2, kind, name, value from granted
on conflict (module, kind, name) do update set value = excluded.value;
