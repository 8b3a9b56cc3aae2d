//! The schema: up, down, and what a binary says of one that it does not know.

use currant_core::executions::NewExecution;
use currant_core::schema::{self, Compatibility};
use currant_core::{Client, Error};
use currant_test_support::TestDatabase;
use sqlx::{AssertSqlSafe, Executor, PgPool};

use crate::world::{World, asked, child, completes, starts};

async fn relations(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "select oid::regclass::text from pg_class where relnamespace = to_regnamespace('currant')
         union all
         select oid::regprocedure::text from pg_proc where pronamespace = to_regnamespace('currant')
         order by 1",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn up_and_down_and_up_again_with_data_in_it() {
    let world = World::new().await;
    let pool = world.pool();
    let parent = world.run("checkout").await;
    world.written(starts(&parent, vec![child(&parent, 1, "charge")])).await;
    let task = world.claim(1).await.remove(0);
    world.written(completes(&task, "1")).await;
    let before = relations(pool).await;

    let reverted = schema::down(pool, 0).await.unwrap();
    assert_eq!(reverted.first(), Some(&schema::latest()), "the newest first");
    assert!(relations(pool).await.is_empty());
    assert_eq!(schema::check(pool).await.unwrap(), Compatibility::Absent);
    assert!(schema::status(pool).await.unwrap().iter().all(|migration| !migration.applied));

    assert_eq!(schema::up(pool).await.unwrap().len(), reverted.len());
    assert_eq!(relations(pool).await, before);
    assert_eq!(schema::check(pool).await.unwrap(), Compatibility::Same);
    assert!(schema::up(pool).await.unwrap().is_empty());
    world.start("charge").await;
}

#[tokio::test]
async fn every_migration_can_be_reverted_by_itself() {
    let database = TestDatabase::new().await;
    let mut left = vec![relations(database.pool()).await];
    for version in (0..schema::latest()).rev() {
        assert_eq!(schema::down(database.pool(), version).await.unwrap(), [version + 1]);
        left.push(relations(database.pool()).await);
    }
    assert!(left.last().unwrap().is_empty());
    assert_eq!(schema::up(database.pool()).await.unwrap().len(), left.len() - 1);
    assert_eq!(relations(database.pool()).await, left[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_may_go_up_at_once() {
    let database = TestDatabase::empty().await;
    let going = (0..4).map(|_| {
        let pool = database.pool().clone();
        tokio::spawn(async move { schema::up(&pool).await })
    });
    for going in going.collect::<Vec<_>>() {
        going.await.unwrap().unwrap();
    }
    assert_eq!(schema::check(database.pool()).await.unwrap(), Compatibility::Same);
}

#[tokio::test]
async fn a_binary_knows_whether_it_can_work_with_a_schema() {
    let database = TestDatabase::new().await;
    let pool = database.pool();
    let set = async |schema: i64, oldest: &str| {
        let values =
            format!("update currant.metadata set value = case key when 'schema_version' then '{schema}' else '{oldest}' end");
        pool.execute(AssertSqlSafe(values)).await.unwrap();
        schema::check(pool).await.unwrap()
    };
    let latest = schema::latest();
    assert_eq!(set(latest, "0.1.0").await, Compatibility::Same);
    assert_eq!(set(latest - 1, "0.1.0").await, Compatibility::Older { schema: latest - 1 });
    assert_eq!(set(latest + 1, "0.1.0").await, Compatibility::Newer { schema: latest + 1 });
    let incompatible = set(latest + 1, "9.10.0").await;
    assert_eq!(incompatible, Compatibility::Incompatible { schema: latest + 1, oldest_binary: "9.10.0".into() });
    assert!(incompatible.usable().unwrap_err().to_string().contains("9.10.0"));
    let empty = TestDatabase::empty().await;
    assert_eq!(schema::check(empty.pool()).await.unwrap(), Compatibility::Absent);
}

#[tokio::test]
async fn the_last_migration_says_its_own_version() {
    let database = TestDatabase::new().await;
    let said: String = sqlx::query_scalar("select value from currant.metadata where key = 'schema_version'")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert_eq!(said, schema::latest().to_string());
}

#[tokio::test]
async fn a_client_may_call_the_interface_and_touch_nothing_else() {
    let world = World::new().await;
    let mut connection = world.database.connect().await;
    connection.execute("set role currant_client").await.unwrap();
    let new = NewExecution { task_id: Some("order-42".parse().unwrap()), ..asked("checkout") };
    let started = currant_core::client::enqueue(&mut connection, new).await.unwrap();
    for call in ["signal($1, 'go')", "status($1)", "result($1)", "cancel($1)", "retry($1)"] {
        let call = AssertSqlSafe(format!("select currant.{call}"));
        sqlx::query(call).bind(started.id).execute(&mut connection).await.unwrap();
    }
    for touch in [
        "table currant.requests",
        "delete from currant.ready",
        "select currant.wake('{}', '{}')",
        "select currant.admit('{}', '{}')",
    ] {
        let error = connection.execute(touch).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "42501", "{touch}");
    }
}

/// What a role may do, by the catalogue: whatever is added to the schema later is looked at too.
#[tokio::test]
async fn a_client_is_granted_the_interface_and_nothing_else() {
    let database = TestDatabase::new().await;
    let all =
        async |query: &'static str| -> Vec<String> { sqlx::query_scalar(query).fetch_all(database.pool()).await.unwrap() };
    let callable = "select proname::text from pg_proc
                    where pronamespace = 'currant'::regnamespace and has_function_privilege('currant_client', oid, 'execute')
                    order by 1";
    let interface = [
        "cancel",
        "complete",
        "configure_queue",
        "enqueue",
        "enqueue_many",
        "fail",
        "pause_queue",
        "reset_queue",
        "result",
        "resume_queue",
        "retry",
        "signal",
        "status",
    ];
    assert_eq!(all(callable).await, interface);
    // They run with the owner's rights: nothing that a caller can make may come before what they mean.
    let definers = "select proname::text from pg_proc
                    where pronamespace = 'currant'::regnamespace
                      and prosecdef and proconfig = array['search_path=pg_catalog, pg_temp']
                    order by 1";
    assert_eq!(all(definers).await, interface);
    let definer_otherwise = "select proname::text from pg_proc
                             where pronamespace = 'currant'::regnamespace
                               and prosecdef and proconfig is distinct from array['search_path=pg_catalog, pg_temp']";
    assert!(all(definer_otherwise).await.is_empty());
    let touchable = "select relname::text from pg_class
                     where relnamespace = 'currant'::regnamespace
                       and case
                           when relkind = 'S' then has_sequence_privilege('currant_client', oid, 'usage, select, update')
                           when relkind in ('r', 'v', 'm', 'p', 'f') then
                               has_table_privilege('currant_client', oid,
                                                   'select, insert, update, delete, truncate, references, trigger')
                               or has_any_column_privilege('currant_client', oid, 'select, insert, update, references')
                           else false
                       end";
    assert!(all(touchable).await.is_empty(), "{:?}", all(touchable).await);
    let makes = "select privilege from unnest(array['create']) as privilege
                 where has_schema_privilege('currant_client', 'currant', privilege)
                    or has_schema_privilege('currant_worker', 'currant', privilege)";
    assert!(all(makes).await.is_empty());
    let of_everybody = "select proname::text from pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) as granted
                        where pronamespace = 'currant'::regnamespace and granted.grantee = 0";
    assert!(all(of_everybody).await.is_empty());
}

/// The outcome of all migrations together, for reviewers. `INSTA_UPDATE=always` rewrites the file; it is reviewed like code.
#[tokio::test]
async fn the_schema_is_that_on_file() {
    // Not of the template: its clock can be moved.
    let database = TestDatabase::empty().await;
    schema::up(database.pool()).await.unwrap();
    let described: Vec<String> =
        sqlx::query_scalar(include_str!("describe_schema.sql")).fetch_all(database.pool()).await.unwrap();
    insta::with_settings!({ snapshot_path => "../golden", prepend_module_to_snapshot => false, omit_expression => true },
        { insta::assert_snapshot!("schema", described.join("\n")) });
}

#[tokio::test]
async fn a_worker_needs_no_more_than_its_role() {
    let world = World::new().await;
    world.start("checkout").await;
    let options = (*world.pool().connect_options()).clone().options([("role", "currant_worker")]);
    let pool = PgPool::connect_with(options).await.unwrap();
    let client = Client::new(pool.clone());
    let claims = currant_core::executions::claim::claim(&pool, world.worker, None, 1, &Default::default()).await.unwrap();
    let parent = &claims.claimed[0];
    let mut connection = pool.acquire().await.unwrap();
    let commit = currant_core::executions::commit::commit;
    commit(&mut connection, &[starts(parent, vec![child(parent, 1, "charge")])]).await.unwrap();
    client.cancel(&parent.id).await.unwrap();
    currant_core::maintenance::return_expired(&pool, 10).await.unwrap();
    currant_core::maintenance::time_out_overdue(&pool, 10).await.unwrap();
    let refused = connection.execute("delete from currant.metadata").await.map_err(Error::from);
    assert!(refused.is_err());
}

#[tokio::test]
async fn everything_says_what_it_is_for() {
    let database = TestDatabase::new().await;
    let silent: Vec<String> = sqlx::query_scalar(
        "select 'table ' || relname from pg_class
         where relnamespace = 'currant'::regnamespace and relkind in ('r', 'v') and obj_description(oid, 'pg_class') is null
         union all
         -- Those of keys need none.
         select 'index ' || indexrelid::regclass from pg_index
         where indrelid in (select oid from pg_class where relnamespace = 'currant'::regnamespace)
           and not indisunique and obj_description(indexrelid, 'pg_class') is null
         union all
         select 'function ' || oid::regprocedure from pg_proc
         where pronamespace = 'currant'::regnamespace and obj_description(oid, 'pg_proc') is null
         order by 1",
    )
    .fetch_all(database.pool())
    .await
    .unwrap();
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}
