-- How many executions did not complete, and why one of them did not.
select count(*) as failed, min(failure ->> 'message') as message from currant.outcomes where status <> 'completed';
