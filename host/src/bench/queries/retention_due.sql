-- The next worker that looks makes a pass.
delete from currant.duties where name = 'retention';
