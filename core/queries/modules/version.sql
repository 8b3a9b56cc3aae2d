-- $1 digest
select description, bytes is not null as is_whole from currant.modules where digest = $1;
