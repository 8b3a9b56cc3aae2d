-- $1 name · $2 cron · $3 time zone · $4 function · $5 input · $6 queue · $7 priority · $8 tags · $9 overlap · $10 catch-up and $11 jitter in
-- milliseconds · $12 the next time · $13 whether one of this name is replaced. False if there is one, and it is not.
with written as (
    insert into currant.schedules as schedule
        (name, cron, timezone, function, input, queue, priority, tags, overlap, catch_up, jitter, next_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::bigint * interval '1 ms', $11::bigint * interval '1 ms', $12)
    on conflict (name) do update
    set cron = excluded.cron, timezone = excluded.timezone, function = excluded.function, input = excluded.input,
        queue = excluded.queue, priority = excluded.priority, tags = excluded.tags, overlap = excluded.overlap,
        catch_up = excluded.catch_up, jitter = excluded.jitter, next_at = excluded.next_at
    where $13
    returning name
)
select exists (select from written);
