-- $1 executions. Left alone are those that were never started, because another holds their key, and those for which another workflow
-- waits under their key.
select currant.cancel_family(request.id)
from currant.requests request
where request.id = any ($1::uuid[])
  and not exists (select from currant.waiters waiter where waiter.target_id = request.id)
order by request.id;
