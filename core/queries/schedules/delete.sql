-- $1 name. What it started goes on.
with fires as (
    delete from currant.schedule_fires where schedule = $1
)
delete from currant.schedules where name = $1;
