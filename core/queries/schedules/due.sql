-- $1 how many. The one instant of a pass: by it is decided what is due, and what comes next. What another worker fires is left to it.
select schedule.name, schedule.cron, schedule.timezone, schedule.next_at, currant.now() as now,
       currant.whole_milliseconds(schedule.catch_up) as catch_up_ms
from currant.schedules schedule
where schedule.next_at <= currant.now() and not schedule.paused
order by schedule.next_at
limit $1
for no key update skip locked;
