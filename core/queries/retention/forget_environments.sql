-- Environments that nothing can need any more: another one has followed a day ago, no open workflow stays in it, and no execution that is
-- kept could be retried in it.
delete from currant.environments former
where exists (select from currant.environments later
              where later.module = former.module and later.id > former.id
                and later.granted_at <= currant.now() - interval '1 day')
  and not exists (select from currant.workflows workflow where workflow.environment = former.id)
  and not exists (select from currant.outcomes outcome
                  where outcome.environment = former.id and outcome.environment > 0 and outcome.status <> 'completed');
