-- What a check-up reads: settings of the server, its oldest snapshot, and what waits in the queue's tables. Reads catalogues and small tables.
select current_setting('server_version_num')::integer as version,
       current_setting('fsync') as fsync,
       current_setting('full_page_writes') as full_page_writes,
       current_setting('synchronous_commit') as synchronous_commit,
       current_setting('autovacuum') as autovacuum,
       current_setting('track_counts') as track_counts,
       pg_size_bytes(current_setting('max_wal_size')) as max_wal_size,
       current_setting('max_connections')::integer as max_connections,
       (select count(*) from pg_stat_activity where backend_type = 'client backend') as connections,
       (select (extract(epoch from max(currant.now() - xact_start)))::bigint
        from pg_stat_activity
        where backend_xmin is not null and pid <> pg_backend_pid() and backend_type = 'client backend') as oldest_snapshot_s,
       (select format('pid %s, %s, %s', pid, coalesce(nullif(application_name, ''), 'unnamed'), state)
        from pg_stat_activity
        where backend_xmin is not null and pid <> pg_backend_pid() and backend_type = 'client backend'
        order by xact_start
        limit 1) as oldest_snapshot,
       (select count(*) from pg_prepared_xacts) as prepared_transactions,
       (select count(*) from pg_replication_slots where not active) as idle_slots,
       (select count(*) from currant.worker_heartbeats where lease_until > currant.now()) as workers,
       (select count(*) from currant.parked) as parked,
       (select name from currant.queues
        where not exists (select from currant.worker_heartbeats worker
                          where worker.lease_until > currant.now() and (worker.queues is null or queues.name = any (worker.queues)))
          and exists (select from currant.ready where ready.queue = queues.name)
        order by name
        limit 1) as unserved_queue,
       (select (extract(epoch from currant.now() - done_at))::bigint from currant.duties where name = 'retention') as swept_s;
