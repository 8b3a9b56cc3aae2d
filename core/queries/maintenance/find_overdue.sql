-- $1 how many
select id from currant.ready where expires_at <= currant.now()
union
select id from currant.parked where expires_at <= currant.now()
union
select id from currant.workflows where deadline <= currant.now() and waiting
order by id
limit $1;
