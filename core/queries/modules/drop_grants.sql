-- $1 module. Environments in which executions that are kept could be retried stay; if the module comes back, it begins in the empty one.
with withdrawn as (
    delete from currant.grants where module = $1
), kept as materialized (
    select environment.id
    from currant.environments environment
    where environment.module = $1
      and (exists (select from currant.workflows workflow where workflow.environment = environment.id)
           or exists (select from currant.outcomes outcome
                      where outcome.environment = environment.id and outcome.environment > 0 and outcome.status <> 'completed'))
), dropped as (
    delete from currant.environments
    where environments.module = $1 and environments.id not in (select kept.id from kept)
)
insert into currant.environments (module, variables)
select $1, '{}' where exists (select from kept);
