select queue.name, queue.paused, coalesce(waiting.pending, 0) as pending, coalesce(busy.running, 0) as running, waiting.oldest,
       (extract(epoch from currant.now() - waiting.oldest) * 1000)::bigint as oldest_age_ms,
       queue.rate_limit, queue.bucket_size, queue.concurrency, queue.concurrency_per_key,
       queue.file_settings::json as file_settings, queue.command_settings::json as command_settings
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
