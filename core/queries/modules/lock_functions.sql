-- Deployments become current one after the other: two that take each other's names must see each other. Readers are not held up.
lock table currant.functions in share row exclusive mode;
