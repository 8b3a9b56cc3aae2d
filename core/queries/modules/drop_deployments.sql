-- $1 digests
delete from currant.deployments where digest = any ($1::bytea[]);
