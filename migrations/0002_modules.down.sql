drop table currant.environments;
drop table currant.grants;
drop table currant.function_kinds;
drop table currant.functions;
drop table currant.deployments;
drop table currant.modules;
