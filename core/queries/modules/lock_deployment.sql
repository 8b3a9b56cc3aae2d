-- $1 deployment. Deployments are decided one after the other: two that take each other's names must see each other.
select deployment.digest, deployment.take_over
from currant.deployments deployment
where deployment.id = $1 and deployment.status = 'requested'
for update;
