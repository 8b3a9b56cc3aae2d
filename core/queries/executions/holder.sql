-- $1 task_id
select execution_id from currant.keys where task_id = $1;
