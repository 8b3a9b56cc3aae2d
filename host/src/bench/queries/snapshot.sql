-- Takes the snapshot that a REPEATABLE READ transaction then keeps.
select count(*) from currant.queues;
