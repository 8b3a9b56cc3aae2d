-- $1 digest
select bytes from currant.modules where digest = $1;
