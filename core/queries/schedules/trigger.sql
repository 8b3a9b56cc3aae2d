-- $1 name. Now, whatever goes on; answers the execution.
with fired as materialized (
    select currant.now() as at, currant.fire($1, currant.now(), 'allow') as fate
)
select fired.at from fired;
