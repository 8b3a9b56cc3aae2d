-- $1 module
select kind, name, value from currant.grants where module = $1 order by kind, name;
