//! Every statement of `queries/` can be prepared on the migrated schema, and every file there is a statement that is used.

use std::collections::BTreeSet;
use std::path::Path;

use currant_test_support::TestDatabase;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

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
