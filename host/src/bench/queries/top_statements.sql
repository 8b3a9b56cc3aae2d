-- $1 how many. The statements that took the most time since the last reset.
select query, calls, total_exec_time as total_ms, mean_exec_time as mean_ms, rows
from pg_stat_statements
where dbid = (select oid from pg_database where datname = current_database())
order by total_exec_time desc
limit $1;
