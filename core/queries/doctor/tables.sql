-- Tables of the schema, with their dead rows and how long ago they were vacuumed.
select relname as name, n_live_tup as live, n_dead_tup as dead, pg_total_relation_size(relid) as bytes,
       (extract(epoch from currant.now() - greatest(last_vacuum, last_autovacuum)))::bigint as vacuumed_s
from pg_stat_user_tables
where schemaname = 'currant'
order by n_dead_tup desc, relname;
