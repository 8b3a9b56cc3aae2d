drop function currant.result(uuid);
drop function currant.status(uuid);
drop view currant.executions;
