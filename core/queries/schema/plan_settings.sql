-- A worker's statements touch few rows of tables whose size changes by the second, so that the planner's statistics are always wrong:
-- by them it turns to hashing whole tables, and compiles what runs for a millisecond. Nested loops over indexes, planned once, are
-- right for all of them: measured, the claim takes a third of the time. Without bitmaps and materialised inner sides a join can only be
-- one probe of an index per row: a plan that was made while the tables were empty would otherwise read all their rows for ever.
select set_config('jit', 'off', false),
       set_config('plan_cache_mode', 'force_generic_plan', false),
       set_config('enable_seqscan', 'off', false),
       set_config('enable_hashjoin', 'off', false),
       set_config('enable_mergejoin', 'off', false),
       set_config('enable_bitmapscan', 'off', false),
       set_config('enable_material', 'off', false),
       set_config('enable_memoize', 'off', false);
