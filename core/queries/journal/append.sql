-- $1 workflows · $2 chains · $3 positions · $4 runs · $5 kinds · $6 operations · $7 names · $8 hashes · $9 bodies · $10 times
-- $11 checksums · $12 workers
insert into currant.journal (workflow_id, chain, position, run, kind, operation, name, hash, body, at, sum, worker_id)
select *
from unnest($1::uuid[], $2::integer[], $3::integer[], $4::integer[], $5::text[], $6::integer[], $7::text[], $8::bytea[],
            $9::json[], $10::timestamptz[], $11::integer[], $12::uuid[]);
