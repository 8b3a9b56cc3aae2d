-- $1 deployment. Its inspection was broken off because the worker stops: another may begin it at once, and nothing speaks against the component.
with left_alone as (
    update currant.deployments deployment
    set inspected_from = null
    where deployment.id = $1 and deployment.status = 'requested'
    returning deployment.digest
), forgiven as (
    update currant.modules module
    set inspections = greatest(0, module.inspections - 1)
    from left_alone
    where module.digest = left_alone.digest
)
select pg_notify('currant_deployments', '') from left_alone;
