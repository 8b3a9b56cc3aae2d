select queue.name, queue.paused, coalesce(waiting.pending, 0) as pending, coalesce(busy.running, 0) as running, waiting.oldest
from currant.queues queue
left join (
    select ready.queue, count(*) as pending, min(ready.run_at) filter (where ready.run_at <= currant.now()) as oldest
    from currant.ready
    group by ready.queue
) as waiting on waiting.queue = queue.name
left join (
    select request.queue, count(*) as running
    from currant.running
    join currant.requests request on request.id = running.id
    group by request.queue
) as busy on busy.queue = queue.name
order by queue.name;
