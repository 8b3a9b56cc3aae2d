-- $1 executions · $2 their runs. Who took over has deleted the row, or written another run into a new one.
select running.id, running.run, running.cancel_requested, currant.now() as at
from currant.running
join unnest($1::uuid[], $2::integer[]) as mine (id, run) on mine.id = running.id and mine.run = running.run
order by running.id
for update of running;
