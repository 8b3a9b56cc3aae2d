-- $1 execution
select execution.*
from currant.status($1) as execution;
