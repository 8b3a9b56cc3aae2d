-- What of the server decides how fast it can be.
select current_setting('server_version') as version,
       current_setting('fsync') as fsync,
       current_setting('synchronous_commit') as synchronous_commit,
       current_setting('full_page_writes') as full_page_writes,
       current_setting('wal_level') as wal_level,
       current_setting('shared_buffers') as shared_buffers,
       current_setting('max_wal_size') as max_wal_size,
       pg_backend_pid() as backend;
