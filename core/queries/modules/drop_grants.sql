-- $1 module
delete from currant.grants where module = $1;
