-- $1 workflows · $2 their runs · $3 when those were claimed · $4 chains · $5 positions · $6 kinds · $7 operations · $8 names · $9 hashes ·
-- $10 bodies · $11 times; null is now · $12 workers
-- All that runs write which only go on: the fence and their entries, in one statement. Answers those that are written. Locked in the order
-- of the ids, like everybody.
with held as (
    select entry.*
    from unnest($1::uuid[], $2::integer[], $3::timestamptz[], $4::integer[], $5::integer[], $6::text[], $7::integer[], $8::text[],
                $9::bytea[], $10::json[], $11::timestamptz[], $12::uuid[])
         as entry (workflow_id, run, claimed_at, chain, position, kind, operation, name, hash, body, at, worker_id)
    join currant.running
      on running.id = entry.workflow_id and running.run = entry.run and running.claimed_at = entry.claimed_at
    order by running.id
    for update of running
), appended as (
    insert into currant.journal (workflow_id, chain, position, run, kind, operation, name, hash, body, at, worker_id)
    select workflow_id, chain, position, run, kind, operation, name, hash, body, coalesce(at, currant.now()), worker_id from held
    returning workflow_id
)
select distinct workflow_id as id, currant.now() as at from appended;
