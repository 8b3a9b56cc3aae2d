//! How tasks and workflows end, beside what `conformance` tests in every language.

use anyhow::Result;
use currant_tests::Stack;
use serde_json::json;

#[tokio::test]
async fn a_panic_is_a_failure_with_the_panics_own_message() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let ended = stack.run("panic", json!("the sky fell")).await?;
    assert_eq!((ended.status.as_str(), ended.failure["code"].as_str()), ("failed", Some("trap")));
    assert!(ended.failure["message"].as_str().is_some_and(|text| text.contains("the sky fell")), "{}", ended.failure);
    assert_eq!(stack.result("echo", json!(1)).await?, json!(1), "the worker goes on");
    Ok(())
}

#[tokio::test]
async fn an_execution_is_parked_until_its_function_is_deployed() -> Result<()> {
    let stack = Stack::new().await;
    let _worker = stack.worker()?;
    let id = stack.start("echo", json!("patience")).await?;
    assert!(stack.value::<bool>(id, "select parked from currant.executions where id = $1").await?);
    stack.deploy(&currant_tests::behaviours()).await?;
    assert_eq!(stack.ended(id).await?.result, json!("patience"));
    Ok(())
}
