//! Every statement of `queries/` can be prepared on the migrated schema, with the types that are on file, and every file there is a
//! statement that is used.

use std::collections::BTreeSet;
use std::path::Path;

use currant_test_support::TestDatabase;
use sqlx::{AssertSqlSafe, Column, Either, Executor, SqlSafeStr, Statement, TypeInfo};

#[tokio::test]
async fn every_statement_can_be_prepared() {
    let database = TestDatabase::new().await;
    let mut connection = database.connect().await;
    let mut refused = Vec::new();
    for (path, statement) in currant_core::sql::ALL {
        if let Err(error) = connection.prepare(AssertSqlSafe(*statement).into_sql_str()).await {
            refused.push(format!("{path}: {error}"));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// The protocol between this release and its schema. `INSTA_UPDATE=always` rewrites the file; it is reviewed like code, because a worker of
/// the release before sends its statements, and reads these answers, during an upgrade.
#[tokio::test]
async fn parameters_and_columns_have_the_types_on_file() {
    let database = TestDatabase::new().await;
    let mut connection = database.connect().await;
    let mut types = String::new();
    for (path, statement) in currant_core::sql::ALL {
        let prepared = connection.prepare(AssertSqlSafe(*statement).into_sql_str()).await.unwrap();
        let parameters = match prepared.parameters() {
            Some(Either::Left(types)) => types.iter().map(|kind| kind.name().to_lowercase()).collect::<Vec<_>>().join(", "),
            other => panic!("{path}: Postgres tells the types of all parameters: {other:?}"),
        };
        let columns =
            prepared.columns().iter().map(|column| format!("{} {}", column.name(), column.type_info().name().to_lowercase()));
        let columns = columns.collect::<Vec<_>>().join(", ");
        types.push_str(&format!("{path}\n  ({parameters})\n  -> {columns}\n"));
    }
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true },
        { insta::assert_snapshot!("statements", types) });
}

#[test]
fn every_file_is_a_statement_that_is_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("queries");
    let mut files = BTreeSet::new();
    for noun in std::fs::read_dir(&root).unwrap() {
        let noun = noun.unwrap().path();
        for file in std::fs::read_dir(&noun).unwrap() {
            files.insert(file.unwrap().path().strip_prefix(&root).unwrap().to_str().unwrap().to_string());
        }
    }
    let listed: BTreeSet<_> = currant_core::sql::ALL.iter().map(|(path, _)| (*path).to_string()).collect();
    assert_eq!(files, listed);
}
