-- $1 workflows · $2 their runs · $3 when those were claimed · $4 chains · $5 positions · $6 kinds · $7 operations · $8 names · $9 hashes ·
-- $10 bodies · $11 times; null is now · $12 workers · $13 checksums, without the times
-- All that runs write which only go on: the fence and their entries, in one statement. Answers those that are written. Locked in the order
-- of the ids, like everybody, by a probe for each.
with entry as (
    select *
    from unnest($1::uuid[], $2::integer[], $3::timestamptz[], $4::integer[], $5::integer[], $6::text[], $7::integer[], $8::text[],
                $9::bytea[], $10::json[], $11::timestamptz[], $12::uuid[], $13::integer[])
         as entry (workflow_id, run, claimed_at, chain, position, kind, operation, name, hash, body, at, worker_id, sum)
    order by workflow_id, position
), held as (
    select entry.*
    from entry
    cross join lateral (
        select from currant.running
        where running.id = entry.workflow_id and running.run = entry.run and running.claimed_at = entry.claimed_at
        for update
    ) as locked
), appended as (
    insert into currant.journal (workflow_id, chain, position, run, kind, operation, name, hash, body, at, worker_id, sum)
    select workflow_id, chain, position, run, kind, operation, name, hash, body, timed.at, worker_id,
           sum # ((extract(epoch from timed.at) * 1000000)::bigint % 2147483647)::integer
    from held
    cross join lateral (select coalesce(held.at, currant.now()) as at) as timed
    returning workflow_id
)
select distinct workflow_id as id, currant.now() as at from appended;
