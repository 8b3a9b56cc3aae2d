-- $1 execution
select run, line, at, level, message, attributes from currant.logs where execution_id = $1 order by run, line;
