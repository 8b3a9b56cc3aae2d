-- The schema as it is, a text for each thing in it, in an order of its own. Only what all supported releases of Postgres say alike.
with relation as (
    select oid, relname, relkind, reloptions from pg_class where relnamespace = 'currant'::regnamespace and relkind in ('r', 'v')
), described as (
    select case relation.relkind when 'r' then 1 else 2 end as chapter, relation.relname::text as name,
           case relation.relkind when 'r' then 'table ' else 'view ' end || relation.relname
           || coalesce(' with (' || array_to_string(relation.reloptions, ', ') || ')', '')
           || (select coalesce(string_agg(
                   E'\n    ' || attribute.attname || ' ' || format_type(attribute.atttypid, attribute.atttypmod)
                   || case when attribute.attnotnull then ' not null' else '' end
                   || case when attribute.attidentity <> '' then ' identity' else '' end
                   || case when attribute.attstorage = 'e' and attribute.atttypid = 'bytea'::regtype then ' external' else '' end
                   || coalesce(case attribute.attgenerated when '' then ' default ' else ' generated ' end
                               || regexp_replace(pg_get_expr(fallback.adbin, fallback.adrelid), '\s+', ' ', 'g'), ''),
                   '' order by attribute.attnum), '')
               from pg_attribute attribute
               left join pg_attrdef fallback on fallback.adrelid = relation.oid and fallback.adnum = attribute.attnum
               where attribute.attrelid = relation.oid and attribute.attnum > 0 and not attribute.attisdropped)
           || (select coalesce(string_agg(
                   E'\n    constraint ' || conname || ' ' || regexp_replace(pg_get_constraintdef(oid), '\s+', ' ', 'g'), '' order by conname collate "C"), '')
               from pg_constraint where conrelid = relation.oid and contype in ('c', 'f', 'p', 'u', 'x'))
           || (select coalesce(string_agg(E'\n    ' || pg_get_indexdef(indexrelid), '' order by indexrelid::regclass::text collate "C"), '')
               from pg_index
               where indrelid = relation.oid and not exists (select from pg_constraint where conindid = indexrelid))
           || (select coalesce(string_agg(E'\n    ' || role || ': ' || privileges, '' order by role), '')
               from (select grantee::regrole::text as role, string_agg(lower(privilege_type), ', ' order by privilege_type) as privileges
                     from pg_class, aclexplode(relacl)
                     where pg_class.oid = relation.oid and grantee::regrole::text in ('currant_client', 'currant_worker')
                     group by grantee) as granted) as text
    from relation
    union all
    select 3, proname || ' ' || pg_get_function_identity_arguments(oid),
           'function ' || proname || '(' || pg_get_function_arguments(oid) || ') returns ' || pg_get_function_result(oid)
           || ' language ' || (select lanname from pg_language where pg_language.oid = prolang)
           || case provolatile when 'i' then ' immutable' when 's' then ' stable' else '' end
           || case proparallel when 's' then ' parallel safe' else '' end
           || case when prosecdef then ' security definer' else '' end
           || coalesce(' set ' || array_to_string(proconfig, ', '), '')
           || (select coalesce(string_agg(E'\n    ' || grantee::regrole::text || ': ' || lower(privilege_type), '' order by grantee::regrole::text), '')
               from aclexplode(proacl) where grantee <> 0 and grantee::regrole::text in ('currant_client', 'currant_worker'))
    from pg_proc where pronamespace = 'currant'::regnamespace
)
select text from described order by chapter, name collate "C";
