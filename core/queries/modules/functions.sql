select name, module, digest, kind, queue, priority, retry, timeouts, description
from currant.functions
order by name;
