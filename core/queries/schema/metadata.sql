select key, value from currant.metadata;
