-- $1 queues with limits, whose rows this transaction has locked in a statement of its own · $2 how many · $3 worker · $4 how long, in
-- milliseconds, a woken workflow is left to the worker that keeps it in memory · $5 after how many milliseconds to look again at a full queue ·
-- $6 queues, $7 priorities and $8 times: in these lines, what has not begun is looked for from these times on
-- Chooses what may be claimed within the limits, locks it, and takes its tokens; the claim follows in the same transaction. Answers a
-- row per queue: what was chosen, at which time, and how long nothing more of it can be claimed, if that is known.
-- Tokens are counted by one time, which never goes back, and that is also the time of the claim: so in any window the claims are at
-- most what it brings, and a bucket full.
with recursive clock as materialized (
    select greatest(currant.now(), max(bucket.last_refill)) as at from currant.rate_limits bucket where bucket.queue = any ($1)
), counted as materialized (
    select queue.* from currant.queues queue
    where queue.name = any ($1) and queue.limited
      and exists (select from currant.worker_heartbeats worker where worker.id = $3 and worker.lease_until > currant.now())
), busy as materialized (
    select request.queue, request.concurrency_key as key, count(*) as running
    from currant.running
    cross join lateral (select * from currant.requests where requests.id = running.id offset 0) as request
    where request.queue = any ($1)
      and exists (select from counted where coalesce(counted.concurrency, counted.concurrency_per_key) is not null)
    group by request.queue, request.concurrency_key
), filled as materialized (
    select counted.name as queue, counted.paused, counted.concurrency_per_key as per_key, counted.rate_per_second, bucket.paused_until,
           counted.concurrency
           - coalesce((select sum(busy.running) from busy where busy.queue = counted.name), 0)::bigint as free,
           least(counted.bucket_size,
                 bucket.tokens + extract(epoch from clock.at - bucket.last_refill)::double precision * counted.rate_per_second)
           as tokens
    from counted
    cross join clock
    left join currant.rate_limits bucket on bucket.queue = counted.name
), budget as materialized (
    -- What is null is not limited.
    select filled.*, case when filled.paused_until > clock.at then 0 else floor(filled.tokens)::bigint end as whole
    from filled
    cross join clock
), level as (
    -- As the claim does: the oldest rows are mostly dead, and a probe would walk past them all.
    select budget.queue,
           (select ready.priority
            from currant.ready
            where ready.queue = budget.queue
            order by ready.priority, ready.run_at desc, ready.id desc
            limit 1) as priority
    from budget
    where not budget.paused and coalesce(budget.whole, 1) > 0 and coalesce(budget.free, 1) > 0
    union all
    select level.queue,
           (select ready.priority
            from currant.ready
            where ready.queue = level.queue and ready.priority > level.priority
            order by ready.priority, ready.run_at desc, ready.id desc
            limit 1)
    from level
    where level.priority is not null
), fresh as materialized (
    -- The first in line. With a limit per key more of them, because some will be held back.
    select due.*
    from level
    join budget on budget.queue = level.queue
    cross join lateral (
        select ready.ctid as place, ready.id, ready.queue, ready.priority, ready.run_at, ready.concurrency_key as key, ready.resumes
        from currant.ready
        where ready.queue = level.queue and ready.priority = level.priority and not ready.resumes
          -- What a limit per key has held back stands before what was claimed last.
          and ready.run_at >= coalesce(
              (select known.since
               from unnest($6::text[], $7::smallint[], $8::timestamptz[]) as known (queue, priority, since)
               where known.queue = level.queue and known.priority = level.priority and budget.per_key is null), '-infinity')
          and ready.run_at <= currant.now()
        order by ready.run_at, ready.id
        limit case when budget.per_key is null then least($2, budget.whole, budget.free) else $2 + 1000 end
    ) as due
    where level.priority is not null
), admissible as (
    select line.queue, count(*) as fresh
    from (select fresh.queue, fresh.key, row_number() over (partition by fresh.queue, fresh.key) as place_of_key from fresh) as line
    join budget on budget.queue = line.queue and budget.per_key is not null
    left join busy on busy.queue = line.queue and busy.key = line.key
    where line.key is null or line.place_of_key + coalesce(busy.running, 0) <= budget.per_key
    group by line.queue
), key as (
    -- Behind a long line that is held back, the others are found key by key. That costs a probe for each, so only then.
    select budget.queue, budget.per_key,
           (select ready.concurrency_key
            from currant.ready
            where ready.queue = budget.queue and ready.concurrency_key is not null
            order by ready.concurrency_key
            limit 1) as key
    from budget
    where budget.per_key is not null
      and exists (select from fresh where fresh.queue = budget.queue group by fresh.priority having count(*) >= $2 + 1000)
      and coalesce((select admissible.fresh from admissible where admissible.queue = budget.queue), 0)
          < least($2, budget.whole, budget.free)
    union all
    select key.queue, key.per_key,
           (select ready.concurrency_key
            from currant.ready
            where ready.queue = key.queue and ready.concurrency_key > key.key
            order by ready.concurrency_key
            limit 1)
    from key
    where key.key is not null
), behind as (
    select due.*
    from key
    cross join lateral (
        select ready.ctid as place, ready.id, ready.queue, ready.priority, ready.run_at, ready.concurrency_key as key, ready.resumes
        from currant.ready
        where ready.queue = key.queue and ready.concurrency_key = key.key and ready.run_at <= currant.now() and not ready.resumes
        order by ready.priority desc, ready.run_at, ready.id
        limit key.per_key
    ) as due
    where key.key is not null
      and not exists (
          select from busy where busy.queue = key.queue and busy.key = key.key and busy.running >= key.per_key)
), begun as (
    -- What goes on takes no token, and is not held back by a pause.
    select due.*
    from budget
    cross join lateral (
        select ready.ctid as place, ready.id, ready.queue, ready.priority, ready.run_at, ready.concurrency_key as key, ready.resumes
        from currant.ready
        where ready.queue = budget.queue and ready.resumes and ready.run_at <= currant.now()
          and (ready.resident_on is null or ready.resident_on = $3
               or ready.run_at <= currant.now() - $4::bigint * interval '1 ms')
        order by ready.priority desc, ready.run_at, ready.id
        limit $2 + case when budget.per_key is null then 0 else 1000 end
    ) as due
    where coalesce(budget.free, 1) > 0
), keyed as (
    -- What stands behind may be among the first, too.
    select due.*,
           row_number() over (partition by due.queue, due.key order by due.priority desc, due.run_at, due.id) as place_of_key
    from (select * from fresh union select * from behind union select * from begun) as due
    join budget on budget.queue = due.queue and budget.per_key is not null
), offered as (
    select due.*
    from (select * from fresh union all select * from begun) as due
    join budget on budget.queue = due.queue and budget.per_key is null
    union all
    select keyed.place, keyed.id, keyed.queue, keyed.priority, keyed.run_at, keyed.key, keyed.resumes
    from keyed
    join budget on budget.queue = keyed.queue
    left join busy on busy.queue = keyed.queue and busy.key = keyed.key
    where keyed.key is null or keyed.place_of_key + coalesce(busy.running, 0) <= budget.per_key
), line as (
    select offered.*, count(*) filter (where offered.resumes) over before as resuming,
           count(*) filter (where not offered.resumes) over before as first_claims
    from offered
    window before as (partition by offered.queue order by offered.priority desc, offered.run_at, offered.id rows unbounded preceding)
), affordable as (
    select line.*, line.resuming + least(line.first_claims, budget.whole) as place_in_queue
    from line
    join budget on budget.queue = line.queue
    where line.resumes or budget.whole is null or line.first_claims <= budget.whole
), allowed as (
    select affordable.place
    from affordable
    join budget on budget.queue = affordable.queue
    where budget.free is null or affordable.place_in_queue <= budget.free
    -- All queues have their turn, as in the claim; what is more urgent counts among the turns of its queue.
    order by affordable.priority desc, affordable.place_in_queue, random()
    limit $2
), mine as materialized (
    -- What is being cancelled at this moment is left to that. Where the row lies was just read, and once it is locked it stays there.
    select ready.ctid as place, ready.queue, ready.resumes
    from currant.ready
    join allowed on allowed.place = ready.ctid
    for update of ready skip locked
), taken as materialized (
    select budget.*, sum.chosen, sum.first_claims
    from budget
    cross join lateral (
        select count(*) as chosen, count(*) filter (where not mine.resumes) as first_claims from mine where mine.queue = budget.queue
    ) as sum
), charged as (
    update currant.rate_limits bucket
    set tokens = taken.tokens - taken.first_claims, last_refill = clock.at
    from taken
    cross join clock
    where bucket.queue = taken.queue and taken.first_claims > 0
)
select taken.queue, clock.at,
       array(select mine.place::text from mine where mine.queue = taken.queue) as places,
       case
           when taken.paused_until > clock.at then ceil(extract(epoch from taken.paused_until - clock.at) * 1000)::bigint
           when taken.tokens - taken.first_claims < 1
               then ceil((1 - taken.tokens + taken.first_claims) / taken.rate_per_second * 1000)::bigint
           -- Who ends one of its executions looks at once; the others may have a free slot earlier.
           when taken.free <= taken.chosen or (taken.per_key is not null and taken.chosen = 0) then $5::bigint
       end as held_ms
from taken
cross join clock
order by taken.queue;
