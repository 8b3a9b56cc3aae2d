-- $1 workflows · $2 components · $3 progress; null leaves what is there. A pin stands once it is set.
update currant.workflows workflow
set digest = coalesce(workflow.digest, change.digest),
    progress = coalesce(change.progress, workflow.progress)
from unnest($1::uuid[], $2::bytea[], $3::json[]) as change (id, digest, progress)
where workflow.id = change.id;
