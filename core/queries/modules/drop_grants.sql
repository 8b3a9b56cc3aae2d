-- $1 module
with withdrawn as (
    delete from currant.grants where module = $1
)
delete from currant.environments where module = $1;
