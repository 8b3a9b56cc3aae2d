-- $1 kind · $2 since when. Ids sort by time: what ended just now is among the newest, whatever history lies before.
select exists (
    select
    from (select kind, ended_at from currant.outcomes order by id desc limit 2000) as newest
    where kind = $1 and ended_at >= $2
);
