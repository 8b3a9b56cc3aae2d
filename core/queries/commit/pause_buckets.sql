-- $1 executions that were rate-limited · $2 their pauses in milliseconds · $3 the time of this commit. Until then nothing is taken out of the
-- buckets of their queues; a queue without a rate limit has none. In the order of the names, like everybody.
with said as (
    select request.queue, max($3::timestamptz + back.after_ms * interval '1 ms') as until
    from unnest($1::uuid[], $2::bigint[]) as back (id, after_ms)
    join currant.requests request on request.id = back.id
    group by request.queue
), locked as (
    select bucket.queue, said.until
    from currant.rate_limits bucket
    join said on said.queue = bucket.queue
    order by bucket.queue
    for update of bucket
)
update currant.rate_limits bucket
set paused_until = greatest(bucket.paused_until, locked.until)
from locked
where bucket.queue = locked.queue;
