drop function currant.new_ids(integer);
drop function currant.new_id();
drop function currant.now_later();
drop function currant.now();
drop table currant.metadata;
drop schema currant;
