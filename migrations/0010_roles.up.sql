-- Who may do what. The functions that clients call run with the owner''s rights and a fixed search path.

do $$
declare
    role text;
begin
    foreach role in array array['currant_client', 'currant_worker'] loop
        begin
            execute format('create role %I nologin', role);
        exception
            when duplicate_object or unique_violation then null;
            when insufficient_privilege then
                raise notice 'the role % does not exist and may not be created by %: everything has to be done as the owner of the schema', role, current_user;
        end;
    end loop;
end;
$$;

do $$
declare
    client_function regprocedure;
begin
    for client_function in
        select oid::regprocedure from pg_proc
        where pronamespace = 'currant'::regnamespace
          and proname in ('enqueue', 'enqueue_many', 'signal', 'cancel', 'retry', 'complete', 'fail', 'status', 'result',
                          'configure_queue', 'reset_queue', 'pause_queue', 'resume_queue')
    loop
        execute format('alter function %s security definer set search_path = pg_catalog, pg_temp', client_function);
        if to_regrole('currant_client') is not null then
            execute format('grant execute on function %s to currant_client', client_function);
        end if;
    end loop;
    execute 'revoke all on all functions in schema currant from public';
    if to_regrole('currant_client') is not null then
        grant usage on schema currant to currant_client;
    end if;
    if to_regrole('currant_worker') is not null then
        grant usage on schema currant to currant_worker;
        grant select, insert, update, delete on all tables in schema currant to currant_worker;
        revoke insert, update, delete on currant.metadata from currant_worker;
        grant execute on all functions in schema currant to currant_worker;
    end if;
end;
$$;

insert into currant.metadata (key, value) values ('schema_version', '10'), ('oldest_binary', '0.1.0');
