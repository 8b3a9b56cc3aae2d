//! The examples, as their readers run them.

use std::path::Path;

use anyhow::{Context, Result};
use currant_tests::{Stack, guest, guest_in};
use serde_json::{Value, json};

/// The README of an example.
fn readme(example: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../examples/{example}/README.md"));
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// What it says comes out, line by line.
fn comes_out(readme: &str) -> Result<Vec<Value>> {
    let (_, rest) = readme.split_once("## What comes out\n").context("it says what comes out")?;
    let (_, rest) = rest.split_once("```json\n").context("in JSON")?;
    let (block, _) = rest.split_once("```").context("in a block")?;
    Ok(block.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// Runs the commands that it shows and that wait for their result, and compares.
async fn what_the_readme_says_comes_out(stack: &Stack, example: &str) -> Result<()> {
    let readme = readme(example)?;
    let mut results = Vec::new();
    for line in readme.lines().filter(|line| line.starts_with("currant start ") && line.ends_with(" --wait")) {
        results.push(serde_json::from_str::<Value>(&stack.shell(line).await?)?);
    }
    assert_eq!(results, comes_out(&readme)?, "{example}");
    Ok(())
}

#[tokio::test]
async fn hello_says_hello_and_fan_out_counts_as_their_readmes_say() -> Result<()> {
    let stack = Stack::new().await;
    let _worker = stack.worker()?;
    for example in ["hello", "fan-out"] {
        stack.deploy(&guest(example)).await?;
        what_the_readme_says_comes_out(&stack, &format!("{example}/rust")).await?;
    }
    Ok(())
}

/// A workflow in Python calls a task in Rust and one in JavaScript, in one worker.
#[tokio::test]
async fn mixed_languages_call_each_other_as_the_readme_says() -> Result<()> {
    let stack = Stack::new().await;
    let _worker = stack.worker()?;
    for module in [guest("mixed-rust"), guest_in("python", "mixed"), guest_in("javascript", "mixed")] {
        stack.deploy(&module).await?;
    }
    what_the_readme_says_comes_out(&stack, "mixed").await?;
    // What fails in Rust fails in Python, with its code and message.
    let refused = stack.run("price", json!({"teapot": 1})).await?;
    assert_eq!(
        (refused.failure["code"].as_str(), refused.failure["message"].as_str()),
        (Some("unknown-goods"), Some("we have no teapot"))
    );
    Ok(())
}

#[tokio::test]
async fn an_order_is_checked_out_although_its_worker_is_killed() -> Result<()> {
    let stack = Stack::new().await;
    let worker = stack.worker()?;
    stack.deploy(&guest("checkout")).await?;
    let input = r#"{"order": 42, "items": ["mug"], "amount": 1250, "pause_seconds": 1}"#;
    let started = stack.currant_ok(&["start", "checkout", "--id", "order-42", "--input", input]).await?;
    let id = started.trim().parse()?;
    // In the middle: charged, and not yet shipped.
    stack.until(id, "select count(*) > 0 from currant.journal where workflow_id = $1 and kind = 'step'").await?;
    worker.kill()?;
    let _worker = stack.worker()?;
    stack.currant_ok(&["signal", "order-42", "approved", "--payload", "\"ada\""]).await?;
    let ended = stack.ended(id).await?;
    assert_eq!(ended.status, "completed", "{ended:?}");
    let mut said = comes_out(&readme("checkout/rust")?)?.remove(0);
    said["tracking"] = ended.result["tracking"].clone();
    assert_eq!(ended.result, said, "but for the tracking number, which is random, as the README says");

    let executed: Vec<(String, i64)> = sqlx::query_as(
        "select function, count(*) from currant.executions where parent_workflow_id = $1 and status = 'completed' group by function order by function",
    )
    .bind(id)
    .fetch_all(stack.pool())
    .await?;
    let once = |name: &str| (name.to_string(), 1);
    assert_eq!(executed, [once("charge"), once("reserve"), once("ship")]);
    assert_eq!(
        stack.value::<i64>(id, "select count(*) from currant.journal where workflow_id = $1 and kind = 'step'").await?,
        1
    );

    // Asked for again, it is answered, not run again.
    let again = stack.currant_ok(&["start", "checkout", "--id", "order-42", "--input", input, "--wait"]).await?;
    assert_eq!(serde_json::from_str::<Value>(&again)?, ended.result);
    Ok(())
}

#[tokio::test]
async fn each_task_of_the_checkout_can_be_started_alone() -> Result<()> {
    let stack = Stack::new().await;
    let _worker = stack.worker()?;
    stack.deploy(&guest("checkout")).await?;
    let ended = stack.run("reserve", json!({"order": 1, "items": ["mug"], "amount": 5})).await?;
    assert_eq!(ended.status, "completed", "{ended:?}");
    Ok(())
}
