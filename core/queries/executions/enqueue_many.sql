-- $1 function · $2 inputs · $3 queue · $4 run_at · $5 delay in milliseconds · $6 priority · $7 tags
select currant.enqueue_many(
    $1, $2, queue => $3, run_at => coalesce($4, currant.now() + $5::bigint * interval '1 ms'), priority => $6, tags => $7);
