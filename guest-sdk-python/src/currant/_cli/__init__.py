"""`python -m currant`: builds components, makes new modules, and hands everything else over to `currant-host` and `currant`."""
