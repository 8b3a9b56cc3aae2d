select extract(epoch from currant.now())::double precision;
