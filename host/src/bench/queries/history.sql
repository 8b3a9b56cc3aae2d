-- $1 how many · $2 after so many · $3 a task's function. Executions that completed long ago, with times, ids and sizes as if they had
-- run one after the other: each statement goes on where the one before ended, as time does.
with past as materialized (
    select number, currant.now() - interval '1 day' + number * interval '1 ms' as at
    from generate_series($2::bigint + 1, $2::bigint + $1::bigint) as number
), ran as materialized (
    select at,
           encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
               placing substring(int8send((extract(epoch from at) * 1000)::bigint) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid
           as id
    from past
), asked as (
    insert into currant.requests (id, function, kind, queue, priority, input, created_at)
    select id, $3, 'task', 'default', 0, '{"order": 42, "items": ["mug", "teapot"], "amount": 1250, "customer": "ada@example.org"}', at
    from ran
)
insert into currant.outcomes (id, status, kind, result, attempt, run, started_at, ended_at)
select id, 'completed', 'task', 'null', 1, 1, at, at from ran;
