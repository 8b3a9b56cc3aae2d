-- $1 executions
select currant.announce_attached(
    array(select outcome.id from currant.outcomes outcome where outcome.id = any ($1::uuid[]) order by outcome.id));
