-- $1 name · $2 time · $3 overlap policy, or null for the schedule's own
select currant.fire($1, $2, $3);
