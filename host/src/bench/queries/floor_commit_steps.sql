-- $1 workflows · $2 positions · $3 runs · $4 kinds · $5 operations · $6 names · $7 bodies: journal entries
-- $8 workflows that write their first entry · $9 component · $10 workflows that end
with appended as (
    insert into currant.journal (workflow_id, chain, position, run, sum, kind, operation, name, body, at)
    select entry.workflow_id, 1, entry.position, entry.run, 0, entry.kind, entry.operation, entry.name, entry.body, currant.now()
    from unnest($1::uuid[], $2::integer[], $3::integer[], $4::text[], $5::integer[], $6::text[], $7::json[])
         as entry (workflow_id, position, run, kind, operation, name, body)
), pinned as (
    update currant.workflows workflow
    set digest = $9
    from unnest($8::uuid[]) as first (id)
    where workflow.id = first.id
), closed as (
    delete from currant.workflows using unnest($10::uuid[]) as ending (id) where workflows.id = ending.id
), released as (
    delete from currant.running
    using unnest($10::uuid[]) as ending (id)
    where running.id = ending.id
    returning running.id, running.attempt, running.run, running.worker_id, running.digest, running.claimed_at
)
insert into currant.outcomes (id, status, kind, result, attempt, run, worker_id, digest, environment, chain, started_at)
select id, 'completed', 'workflow', 'null', attempt, run, worker_id, digest, 0, 1, claimed_at from released;
