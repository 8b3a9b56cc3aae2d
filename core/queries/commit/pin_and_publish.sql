-- $1 workflows · $2 components · $3 progress · $4 warnings; null leaves what is there. A pin stands once it is set.
update currant.workflows workflow
set digest = coalesce(workflow.digest, change.digest),
    progress = coalesce(change.progress, workflow.progress),
    warning = coalesce(workflow.warning || E'\n' || change.warning, change.warning, workflow.warning)
from unnest($1::uuid[], $2::bytea[], $3::json[], $4::text[]) as change (id, digest, progress, warning)
where workflow.id = change.id;
