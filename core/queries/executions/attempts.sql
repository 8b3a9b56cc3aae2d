-- $1 execution
select run, attempt, failure, worker_id, started_at, ended_at from currant.attempts where id = $1 order by run;
