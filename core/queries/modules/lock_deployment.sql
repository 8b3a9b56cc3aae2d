-- $1 deployment. Decided once.
select deployment.digest, deployment.take_over
from currant.deployments deployment
where deployment.id = $1 and deployment.status = 'requested'
for update;
