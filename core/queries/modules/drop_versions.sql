-- $1 digests, whose deployments are gone. What another module serves stays.
delete from currant.modules module
where module.digest = any ($1::bytea[])
  and not exists (select from currant.functions offered where offered.digest = module.digest);
