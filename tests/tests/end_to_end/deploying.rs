//! Deploying: versions, refusals, and what the command line says of them.

use anyhow::Result;
use currant_tests::{Stack, behaviours, guest};
use serde_json::json;

/// The same component under another digest: with a custom section at its end.
fn another_version(component: &std::path::Path, folder: &std::path::Path) -> Result<std::path::PathBuf> {
    let mut bytes = std::fs::read(component)?;
    bytes.extend([0, 5, 4, b't', b'e', b's', b't']);
    let path = folder.join("another.wasm");
    std::fs::write(&path, bytes)?;
    Ok(path)
}

#[tokio::test]
async fn a_workflow_stays_on_the_version_that_it_began_on() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let folder = tempfile::tempdir()?;
    let id = stack.start("wait_signal", json!("go")).await?;
    stack.until_status(id, "suspended").await?;
    let pinned: String = stack.value(id, "select module from currant.executions where id = $1").await?;
    stack.deploy(&another_version(&behaviours(), folder.path())?).await?;
    stack.signal(id, "go", json!(1)).await?;
    assert_eq!(stack.ended(id).await?.status, "completed");
    assert_eq!(stack.value::<String>(id, "select module from currant.executions where id = $1").await?, pinned);
    let task = stack.start("echo", json!(1)).await?;
    stack.ended(task).await?;
    assert_ne!(stack.value::<String>(task, "select module from currant.executions where id = $1").await?, pinned);
    Ok(())
}

#[tokio::test]
async fn a_module_that_takes_anothers_function_is_refused_unless_that_is_meant() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    sqlx::query("update currant.functions set module = 'somebody' where name = 'echo'").execute(stack.pool()).await?;
    let output = stack.currant(&["deploy", behaviours().to_str().unwrap()]).await?;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr)?;
    assert!(said.contains("`echo` belongs to module `somebody`") && said.contains("--take-over"), "{said}");
    stack.deploy_with(&behaviours(), &["--take-over"]).await
}

#[tokio::test]
async fn what_is_no_module_of_ours_is_refused_with_what_to_do() -> Result<()> {
    let stack = Stack::new().await;
    let _worker = stack.worker()?;
    let folder = tempfile::tempdir()?;
    let whole = std::fs::read(guest("hello"))?;
    let cases: [(&str, Vec<u8>); 4] = [
        ("core.wasm", b"\0asm\x01\0\0\0".to_vec()),
        ("truncated.wasm", whole[..whole.len() / 2].to_vec()),
        ("text.wasm", b"hello".to_vec()),
        ("empty.wasm", Vec::new()),
    ];
    for (name, bytes) in cases {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes)?;
        let output = stack.currant(&["deploy", path.to_str().unwrap()]).await?;
        let said = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        assert!(said.contains("hint:"), "{name}: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn a_deployment_without_a_worker_waits_for_one() -> Result<()> {
    let stack = Stack::new().await;
    let hello = guest("hello");
    let output = stack.currant(&["deploy", hello.to_str().unwrap(), "--timeout", "300ms"]).await?;
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let _worker = stack.worker()?;
    stack
        .until(uuid::Uuid::nil(), "select count(*) = 1 and $1 is not null from currant.deployments where status = 'deployed'")
        .await?;
    assert_eq!(stack.result("hello", json!("World")).await?, json!("Hello, World!"));
    Ok(())
}
