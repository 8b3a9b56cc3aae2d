-- Workflows that wait.
select count(*) from currant.workflows where waiting;
