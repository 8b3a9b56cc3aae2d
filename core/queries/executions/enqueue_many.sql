-- $1 function · $2 inputs · $3 queue · $4 run_at · $5 delay · $6 priority · $7 attempt, $8 queue and $9 total timeout · $10 retries ·
-- $11 concurrency key · $12 tags; lengths of time in milliseconds
select currant.enqueue_many(
    $1, $2, queue => $3, run_at => coalesce($4, currant.now() + $5::bigint * interval '1 ms'), priority => $6,
    timeout => $7::bigint * interval '1 ms', queue_timeout => $8::bigint * interval '1 ms',
    total_timeout => $9::bigint * interval '1 ms', retries => $10, concurrency_key => $11, tags => $12);
