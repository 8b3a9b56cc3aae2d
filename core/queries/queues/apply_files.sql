-- $1 worker
select queue, setting, held, wanted, answer from currant.apply_files($1);
