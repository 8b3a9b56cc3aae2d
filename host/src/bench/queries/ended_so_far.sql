-- By the server's statistics, which are up to a second behind: counting rows would disturb what is measured.
select pg_stat_get_tuples_inserted('currant.outcomes'::regclass);
