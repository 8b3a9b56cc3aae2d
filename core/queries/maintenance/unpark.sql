-- $1 how many
select currant.unpark($1);
