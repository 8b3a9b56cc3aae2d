-- The oldest deployment that nobody inspects at this moment; an inspection that does not answer within two minutes is begun again.
with next as (
    select deployment.id, deployment.digest
    from currant.deployments deployment
    where deployment.status = 'requested'
      and (deployment.inspected_from is null or deployment.inspected_from < currant.now() - interval '2 minutes')
    order by deployment.id
    limit 1
    for update skip locked
), begun as (
    update currant.deployments deployment
    set inspected_from = currant.now()
    from next
    where deployment.id = next.id
)
update currant.modules module
set inspections = module.inspections + 1
from next
where module.digest = next.digest
returning next.id, module.digest, module.inspections, module.bytes;
