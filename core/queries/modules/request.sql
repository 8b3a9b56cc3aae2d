-- $1 digest · $2 take over · $3 grants
with requested as (
    insert into currant.deployments (digest, take_over, grants) values ($1, $2, $3) returning id
)
select id, pg_notify('currant_deployments', '') from requested;
