-- $1 executions · $2 their runs · $3 when those were claimed. Who took over has deleted the row, or written another run into a new one.
select running.id, running.run, running.cancel_requested, currant.now() as at
from currant.running
join unnest($1::uuid[], $2::integer[], $3::timestamptz[]) as mine (id, run, claimed_at)
  on mine.id = running.id and mine.run = running.run and mine.claimed_at = running.claimed_at
order by running.id
for update of running;
