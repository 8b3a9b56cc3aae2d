delete from currant.metadata where key in ('schema_version', 'oldest_binary');
do $$
declare
    role text;
begin
    foreach role in array array['currant_client', 'currant_worker'] loop
        if to_regrole(role) is not null then
            -- In this database only; another may still use the role.
            execute format('drop owned by %I', role);
            begin
                execute format('drop role %I', role);
            exception
                when dependent_objects_still_exist or insufficient_privilege then null;
            end;
        end if;
    end loop;
end;
$$;
