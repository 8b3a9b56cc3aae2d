-- $1 names
select name, module, kind from currant.functions where name = any ($1::text[]) order by name for update;
