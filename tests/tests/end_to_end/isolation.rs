//! Executions beside each other in one worker see nothing of each other.

use std::collections::HashSet;

use anyhow::{Context, Result};
use currant_tests::{Stack, behaviours, guest};
use serde_json::json;

#[tokio::test]
async fn executions_beside_each_other_leave_no_traces_in_each_other() -> Result<()> {
    let stack = Stack::new().await;
    let _worker = stack.limited_worker(&[("CURRANT_WORKER_SLOTS", "20")])?;
    stack.deploy_with(&behaviours(), &["--env", "WORD=secret"]).await?;
    stack.deploy(&guest("hostile")).await?;
    let mut started = Vec::new();
    for number in 0..60 {
        let word = format!("word-{number:02}");
        started.push((stack.start("leave_traces", json!(word)).await?, word));
    }
    // Of a module to which a variable was granted, at the same time and in the same worker.
    assert_eq!(stack.result("read_env", json!("WORD")).await?, json!("secret"));
    let mut drawn = HashSet::new();
    for (id, word) in started {
        let ended = stack.ended(id).await?;
        assert_eq!(ended.result[0], json!([word]), "it found what another one left");
        drawn.insert(ended.result[1].as_u64().context("a number")?);
        let lines: Vec<String> = sqlx::query_scalar("select message from currant.logs where execution_id = $1 order by line")
            .bind(id)
            .fetch_all(stack.pool())
            .await?;
        assert_eq!(lines, [format!("{word} out"), format!("{word} err"), format!("{word} log")]);
    }
    assert_eq!(drawn.len(), 60, "each drew a number of its own");
    Ok(())
}
