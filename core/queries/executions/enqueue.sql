-- $1 function · $2 input · $3 queue · $4 task_id · $5 run_at · $6 delay · $7 priority · $8 attempt, $9 queue and $10 total timeout ·
-- $11 retries · $12 concurrency key · $13 tags; lengths of time in milliseconds
select *
from currant.enqueue(
    $1, $2, queue => $3, task_id => $4, run_at => coalesce($5, currant.now() + $6::bigint * interval '1 ms'), priority => $7,
    timeout => $8::bigint * interval '1 ms', queue_timeout => $9::bigint * interval '1 ms',
    total_timeout => $10::bigint * interval '1 ms', retries => $11, concurrency_key => $12, tags => $13);
