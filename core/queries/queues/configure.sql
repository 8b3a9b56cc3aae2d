-- $1 queue · $2 rate limit · $3 burst · $4 concurrency · $5 concurrency per key · $6 to $9 retention of tasks, workflows, what failed and
-- what was cancelled, in milliseconds · $10 settings that are not to hold
select currant.configure_queue(
    $1, rate_limit => $2, burst => $3, concurrency => $4, concurrency_per_key => $5,
    retention_tasks => currant.milliseconds($6::bigint::text), retention_workflows => currant.milliseconds($7::bigint::text),
    retention_failed => currant.milliseconds($8::bigint::text), retention_cancelled => currant.milliseconds($9::bigint::text),
    without => $10);
