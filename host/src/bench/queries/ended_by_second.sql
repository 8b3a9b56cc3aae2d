-- $1 since when · $2 for how many seconds. How many tasks ended in each.
select coalesce(counted.ended, 0) as ended
from generate_series(0, $2::integer - 1) as second (number)
left join (
    select floor(extract(epoch from ended_at - $1::timestamptz))::integer as number, count(*) as ended
    from currant.outcomes
    where ended_at >= $1::timestamptz
    group by 1
) as counted on counted.number = second.number
order by second.number;
