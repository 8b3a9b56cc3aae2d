-- Workflows that have not ended.
select count(*) from currant.workflows;
