-- $1 name, or null for all of them
select schedule.name, schedule.cron, schedule.timezone, schedule.function, schedule.input, schedule.queue, schedule.priority, schedule.tags,
       schedule.overlap, currant.whole_milliseconds(schedule.catch_up) as catch_up_ms,
       currant.whole_milliseconds(schedule.jitter) as jitter_ms, schedule.paused, schedule.next_at,
       last.fire_at as last_at, last.status as last_status, last.execution_id as last_execution
from currant.schedules schedule
left join lateral (
    select past.fire_at, past.status, past.execution_id
    from currant.schedule_fires past
    where past.schedule = schedule.name
    order by past.fire_at desc
    limit 1
) as last on true
where $1::text is null or schedule.name = $1
order by schedule.name;
