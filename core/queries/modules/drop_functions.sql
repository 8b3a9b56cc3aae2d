-- $1 module · $2 what its new version offers
delete from currant.functions where module = $1 and name <> all ($2::text[]);
