-- All that runs write which only go on: the fence and their entries, in one statement.
-- Runs, in the order of their ids: $1 workflows · $2 runs · $3 when those were claimed
-- Their entries: $4 workflows · $5 chains · $6 positions · $7 runs · $8 kinds · $9 operations · $10 names · $11 hashes · $12 bodies ·
-- $13 times; null is now · $14 workers · $15 checksums, without the times
-- $16 how long to wait for a lock
-- Answers those that are written. Locked by a probe for each.
with patience as materialized (
    select set_config('lock_timeout', $16, true) as is_set
), held as (
    select locked.id
    from unnest($1::uuid[], $2::integer[], $3::timestamptz[]) as mine (id, run, claimed_at)
    cross join lateral (
        select running.id
        from currant.running
        where (select is_set from patience) is not null and running.id = mine.id and running.run = mine.run and running.claimed_at = mine.claimed_at
        for update
    ) as locked
), appended as (
    insert into currant.journal (workflow_id, chain, position, run, kind, operation, name, hash, body, at, worker_id, sum)
    select entry.workflow_id, entry.chain, entry.position, entry.run, entry.kind, entry.operation, entry.name, entry.hash, entry.body,
           timed.at, entry.worker_id, entry.sum # ((extract(epoch from timed.at) * 1000000)::bigint % 2147483647)::integer
    from unnest($4::uuid[], $5::integer[], $6::integer[], $7::integer[], $8::text[], $9::integer[], $10::text[], $11::bytea[],
                $12::json[], $13::timestamptz[], $14::uuid[], $15::integer[])
         as entry (workflow_id, chain, position, run, kind, operation, name, hash, body, at, worker_id, sum)
    cross join lateral (select coalesce(entry.at, currant.now()) as at) as timed
    where entry.workflow_id = any (array(select held.id from held))
)
select held.id, currant.now() as at from held;
