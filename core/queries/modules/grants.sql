-- $1 module · $2 environment; null is the current one. Whom the module may call, and that environment; 0 is the empty one.
select array(select host from currant.grants where module = $1 order by host) as http,
       wanted.id as environment, environment.variables
from (
    select coalesce($2, (select max(id) from currant.environments where module = $1), 0) as id
) as wanted
left join currant.environments environment on environment.id = wanted.id;
