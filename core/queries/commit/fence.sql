-- $1 executions · $2 their runs · $3 when those were claimed. Who took over has deleted the row, or written another run into a new one.
-- A probe for each, whatever the planner believes of the table, in the order of the ids, like everybody.
select held.*, currant.now() as at
from (
    select * from unnest($1::uuid[], $2::integer[], $3::timestamptz[]) as mine (id, run, claimed_at) order by id
) as mine
cross join lateral (
    select running.id, running.run, running.cancel_requested
    from currant.running
    where running.id = mine.id and running.run = mine.run and running.claimed_at = mine.claimed_at
    for update
) as held;
