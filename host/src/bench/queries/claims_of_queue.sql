-- $1 queue. When its executions were claimed, in seconds.
select extract(epoch from claimed.at)::double precision
from (
    select outcome.started_at as at, outcome.id from currant.outcomes outcome
    union all
    select running.claimed_at, running.id from currant.running
) as claimed
join currant.requests request on request.id = claimed.id
where request.queue = $1
order by 1;
