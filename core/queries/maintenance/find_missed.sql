select distinct waiter.target_id
from currant.waiters waiter
join currant.outcomes outcome on outcome.id = waiter.target_id
order by waiter.target_id
limit 500;
