-- $1 how many · $2 after so many · $3 function · $4 queue. Executions that are pending since a day ago.
with past as materialized (
    select number, currant.now() - interval '1 day' + number * interval '1 ms' as at
    from generate_series($2::bigint + 1, $2::bigint + $1::bigint) as number
), waiting as materialized (
    select at,
           encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
               placing substring(int8send((extract(epoch from at) * 1000)::bigint) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid
           as id
    from past
), asked as (
    insert into currant.requests (id, function, kind, queue, priority, input, created_at)
    select id, $3, 'task', $4, 0, '{"order": 42, "items": ["mug", "teapot"], "amount": 1250, "customer": "ada@example.org"}', at
    from waiting
)
insert into currant.ready (id, queue, priority, run_at, attempt)
select id, $4, 0, at, 1 from waiting;
