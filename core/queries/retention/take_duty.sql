-- $1 duty · $2 how often, in milliseconds · $3 for how long it is taken, in milliseconds. True if it is due, and nobody else is at it.
with taken as (
    insert into currant.duties as duty (name, busy_until)
    values ($1, currant.now() + $3::bigint * interval '1 ms')
    on conflict (name) do update set busy_until = excluded.busy_until
    where duty.busy_until <= currant.now()
      and (duty.done_at is null or duty.done_at <= currant.now() - $2::bigint * interval '1 ms')
    returning name
)
select exists (select from taken);
