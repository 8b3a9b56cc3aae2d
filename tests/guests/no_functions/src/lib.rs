//! A module without functions: the SDK refuses to describe it.

currant::module!();
