-- Statements that wait at this moment until somebody else's transaction ends.
select count(*)
from pg_stat_activity
where datname = current_database() and wait_event_type = 'Lock' and wait_event in ('tuple', 'transactionid', 'relation');
