-- $1 digest · $2 bytes. A component that is asked for again is inspected again, with its crashes forgiven.
insert into currant.modules (digest, size, bytes)
values ($1, octet_length($2::bytea), $2)
on conflict (digest) do update set inspections = 0, bytes = excluded.bytes, uploaded_at = currant.now();
