-- $1 digest · $2 description
update currant.modules
set description = $2, inspected_at = currant.now(), inspections = 0
where digest = $1;
