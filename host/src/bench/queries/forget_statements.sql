select pg_stat_statements_reset(0, (select oid from pg_database where datname = current_database()), 0);
