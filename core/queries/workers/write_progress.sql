-- $1 tasks · $2 runs · $3 progress. In the order of the ids, like everybody who locks running.
with said as (
    select running.id, beat.progress
    from currant.running
    join unnest($1::uuid[], $2::integer[], $3::json[]) as beat (id, run, progress)
      on beat.id = running.id and beat.run = running.run
    order by running.id
    for update of running
)
update currant.running
set progress = said.progress, heartbeat_at = currant.now()
from said
where running.id = said.id;
