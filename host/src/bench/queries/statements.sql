-- How many statements this database has been sent.
select coalesce(sum(calls), 0)::bigint
from pg_stat_statements(false)
where dbid = (select oid from pg_database where datname = current_database());
