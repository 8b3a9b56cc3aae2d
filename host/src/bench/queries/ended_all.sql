-- Executions that have ended and are kept.
select count(*) from currant.outcomes;
