-- $1 function · $2 input · $3 how many · $4 queue, or null
select currant.enqueue_many($1, array_fill($2::json, array[$3::integer]), queue => $4);
