-- $1 ids · $2 inputs. The rows of tasks, by plain inserts.
with asked as (
    insert into currant.requests (id, function, kind, queue, priority, input)
    select id, 'noop', 'task', 'default', 0, input from unnest($1::uuid[], $2::json[]) as item (id, input)
)
insert into currant.ready (id, queue, priority, run_at, attempt)
select id, 'default', 0, currant.now(), 1 from unnest($1::uuid[]) as id;
