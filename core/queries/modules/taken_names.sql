-- $1 names. Those that were ever deployed, and the module that offers them now.
select known.name, known.kind, served.module
from currant.function_kinds known
left join currant.functions served on served.name = known.name
where known.name = any ($1::text[])
order by known.name;
