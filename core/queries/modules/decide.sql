-- $1 deployment · $2 worker · $3 why it is refused, or null
with decided as (
    update currant.deployments
    set status = case when $3::text is null then 'deployed' else 'refused' end, reason = $3, decided_at = currant.now(),
        decided_by = $2, grants = null
    where id = $1
    returning id
)
select pg_notify('currant_deployments', id::text) from decided;
