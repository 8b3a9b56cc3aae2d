-- Indexes of the schema by name, and whether each can be used.
select index.relname as name, pg_index.indisvalid and pg_index.indisready as usable
from pg_index
join pg_class index on index.oid = pg_index.indexrelid
where index.relnamespace = 'currant'::regnamespace
order by index.relname;
