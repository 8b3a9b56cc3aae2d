-- $1 kind · $2, $3 times. Children count only where the kind is theirs.
select count(*) from currant.outcomes where kind = $1 and status = 'completed' and ended_at >= $2 and ended_at < $3;
