-- $1 executions. One that was never started, because another holds its key, is left alone.
select currant.cancel(request.id)
from currant.requests request
where request.id = any ($1::uuid[])
order by request.id;
