//! Guests that misbehave end by themselves; their worker and its other executions do not notice.

use anyhow::Result;
use currant_tests::Stack;
use serde_json::json;

#[tokio::test]
async fn hostile_guests_end_as_failures_and_the_worker_goes_on() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let hostile = [("recurse", json!(null), "trap"), ("allocate", json!(3_000), ""), ("big_result", json!(50_000_000), "")];
    let mut running = Vec::new();
    for (function, input, code) in hostile {
        let id: uuid::Uuid = sqlx::query_scalar("select id from currant.enqueue($1, $2::text::json, retries => 0)")
            .bind(function)
            .bind(input.to_string())
            .fetch_one(stack.pool())
            .await?;
        running.push((function, id, code));
    }
    assert_eq!(stack.result("echo", json!("calm")).await?, json!("calm"));
    for (function, id, code) in running {
        let ended = stack.ended(id).await?;
        assert_eq!(ended.status, "failed", "{function}");
        let found = ended.failure["code"].as_str().unwrap_or_default();
        assert!(code.is_empty() || found == code, "{function}: {}", ended.failure);
        assert!(!found.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn a_loop_without_end_starves_nobody() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let loops = [stack.start("loop_forever", json!(null)).await?, stack.start("loop_forever", json!(null)).await?];
    for id in loops {
        stack.until_status(id, "running").await?;
    }
    for number in 0..5 {
        assert_eq!(stack.result("echo", json!(number)).await?, json!(number));
    }
    for id in loops {
        assert_eq!(stack.value::<String>(id, "select currant.status_of($1)").await?, "running", "the lease was kept meanwhile");
    }
    Ok(())
}
