-- The schema, its clock, and what it says of itself.

create schema currant;
comment on schema currant is 'Durable executions. Clients call the functions of this schema; workers own its tables.';

create table currant.metadata (
    key   text primary key,
    value text not null
);
comment on table currant.metadata is
    'What this schema says of itself: schema_version (the last migration), oldest_binary (the oldest release that can work with it). Written by migrations only.';

-- Every comparison with time goes through this function, so that the workers'' clocks never matter. It is the time of the current
-- statement and not of the transaction: a transaction that waited for a lock must see what time it has become.
create function currant.now() returns timestamptz
    language sql stable parallel safe
    return statement_timestamp();
comment on function currant.now() is 'The one clock. Tests replace it; production has no switch.';

-- For a statement that has waited for locks.
create function currant.now_later() returns timestamptz
    language sql volatile
    return currant.now() + (clock_timestamp() - statement_timestamp());
comment on function currant.now_later() is 'The time at this point of a statement, by the one clock.';

-- UUIDv7 (RFC 9562): 48 bits of milliseconds, then random. Ids sort by time, so that inserts touch the right edge of their index.
create function currant.new_id() returns uuid
    language sql volatile parallel safe
    return encode(
        set_bit(set_bit(
            overlay(
                uuid_send(gen_random_uuid())
                placing substring(int8send((extract(epoch from currant.now()) * 1000)::bigint) from 3)
                from 1 for 6),
            52, 1), 53, 1),
        'hex')::uuid;
comment on function currant.new_id() is 'A UUIDv7 of the database''s time.';

-- A batch's ids sort in the order of its inputs, which is then the order in which they are claimed. Behind the milliseconds they are counted,
-- and when the 12 bits for that are full, the next millisecond is borrowed. What is random is random once, and hashed with the number:
-- to ask for randomness row by row costs as much as writing the row.
create function currant.new_ids(count integer) returns uuid[]
    language plpgsql volatile parallel safe
as $$
declare
    millisecond constant bigint := (extract(epoch from currant.now()) * 1000)::bigint;
    seed constant bigint := uuid_hash_extended(gen_random_uuid(), 0);
    version_7 constant bigint := 7 << 12;
    variant_bits constant bigint := 1::bigint << 63;
    random_bits constant bigint := (1::bigint << 62) - 1;
begin
    return array(
        select encode(int8send(((millisecond + (number >> 12)) << 16) | version_7 | (number & 4095))
                      || int8send(variant_bits | (hashint8extended(number, seed) & random_bits)), 'hex')::uuid
        from generate_series(0::bigint, count - 1) as number);
end;
$$;
comment on function currant.new_ids(integer) is 'So many UUIDv7s of the database''s time, in ascending order.';
