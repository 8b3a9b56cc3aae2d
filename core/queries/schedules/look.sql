-- Whether anything waits for its end, and in how many milliseconds the next time comes.
select exists (select from currant.schedule_fires where status = 'waiting') as waiting,
       (extract(epoch from (select min(next_at) from currant.schedules where not paused) - currant.now()) * 1000)::bigint as next_in_ms;
