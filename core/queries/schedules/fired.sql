-- $1 name · $2 time
select execution_id from currant.schedule_fires where schedule = $1 and fire_at = $2;
