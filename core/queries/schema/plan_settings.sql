-- Compiling a statement that runs for a millisecond takes a second; the planner thinks that it is worth it, because it does not know
-- how small the hot tables are.
set jit = off;
