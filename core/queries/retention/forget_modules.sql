-- The bytes of components that nothing can need any more: they serve no function, no open workflow is pinned to them, no execution that
-- is kept could be retried on them, and they were last uploaded a day ago. What is known of them stays, and deploying them again stores
-- the bytes anew.
update currant.modules module
set bytes = null
where module.bytes is not null
  and module.inspected_at is not null
  and module.uploaded_at <= currant.now() - interval '1 day'
  and not exists (select from currant.functions offered where offered.digest = module.digest)
  and not exists (select from currant.deployments deployment
                  where deployment.digest = module.digest
                    and deployment.status = 'requested')
  and not exists (select from currant.workflows workflow where workflow.digest = module.digest)
  and not exists (select from currant.requests request
                  where request.digest = module.digest
                    and not exists (select from currant.outcomes outcome where outcome.id = request.id))
  and not exists (select from currant.running where running.digest = module.digest)
  and not exists (select from currant.outcomes outcome
                  where outcome.digest = module.digest and outcome.status <> 'completed' and outcome.chain is not null);
