-- $1 how many
select currant.fire_waiting($1);
