with version as (
    select deployment.module as name, deployment.digest, max(deployment.decided_at) as deployed_at, max(deployment.id) as last
    from currant.deployments deployment
    where deployment.status = 'deployed'
    group by deployment.module, deployment.digest
)
select version.name, version.digest, module.description ->> 'version' as version, module.description ->> 'sdk' as sdk, module.size,
       version.deployed_at,
       version.last = max(version.last) over (partition by version.name) as current,
       (select count(*) from currant.functions served where served.digest = version.digest and served.module = version.name)
           as functions,
       (select count(*) from currant.workflows pinned where pinned.digest = version.digest) as open_executions
from version
join currant.modules module on module.digest = version.digest
order by version.last desc;
