-- $1 queues. What another worker is claiming from at this moment is left to it. In the order of the names, like everybody.
select queue.name
from currant.queues queue
where queue.name = any ($1) and queue.limited
order by queue.name
for no key update skip locked;
