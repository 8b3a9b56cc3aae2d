select currant.now();
