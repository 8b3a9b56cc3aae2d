-- How much write-ahead log there has been, how many transactions have written, and what time it is; of the whole server.
select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint as wal,
       (pg_snapshot_xmax(pg_current_snapshot())::text)::bigint as transactions,
       currant.now() as at;
