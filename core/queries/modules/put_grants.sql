-- $1 deployment · $2 module. A deployment without grants leaves them as they are; afterwards the values of variables are only in the environment.
with wanted as (
    update currant.deployments set module = $2 where id = $1 returning grants
), granted as (
    select host.name as host from wanted, json_array_elements_text(wanted.grants -> 'http') as host (name)
), dropped as (
    delete from currant.grants
    using wanted
    where grants.module = $2 and wanted.grants is not null
      and not exists (select from granted where granted.host = grants.host)
), allowed as (
    insert into currant.grants (module, host) select $2, host from granted on conflict do nothing
)
insert into currant.environments (module, variables)
select $2, coalesce(wanted.grants -> 'env', '{}')
from wanted
where wanted.grants is not null
  and coalesce((wanted.grants -> 'env')::jsonb, '{}')
      <> coalesce((select current.variables::jsonb from currant.environments current where current.module = $2 order by current.id desc limit 1),
                  '{}');
