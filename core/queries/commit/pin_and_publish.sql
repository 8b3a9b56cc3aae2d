-- $1 workflows · $2 components · $3 environments · $4 progress · $5 warnings; null leaves what is there. A pin stands once it is set.
update currant.workflows workflow
set digest = coalesce(workflow.digest, change.digest),
    environment = case when workflow.digest is null then coalesce(change.environment, 0) else workflow.environment end,
    progress = coalesce(change.progress, workflow.progress),
    warning = coalesce(workflow.warning || E'\n' || change.warning, change.warning, workflow.warning)
from unnest($1::uuid[], $2::bytea[], $3::bigint[], $4::json[], $5::text[])
     as change (id, digest, environment, progress, warning)
where workflow.id = change.id;
