//! Journals that were recorded once, by this version or an earlier one, are replayed to the same end for ever.
//!
//! A history names the function of the guest `proof` that it was recorded with; that code is never changed (`tests/guests/proof/src/kept.rs`).
//! `CURRANT_RECORD_HISTORIES=1 cargo nextest run -p currant-tests histories` records those of this version that are not there yet.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use currant_tests::{Ended, Stack, WorkerProcess, guest};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// What is kept of a workflow: all that its replay reads.
#[derive(Serialize, Deserialize)]
struct History {
    function: String,
    input: Value,
    id: Uuid,
    chain: i32,
    /// The input of a later chain.
    chain_input: Option<String>,
    /// How it ended; none if it still waits for `token` and the signal `approved`.
    end: Option<End>,
    token: Option<String>,
    journal: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
struct End {
    status: String,
    /// As it is stored, byte for byte.
    result: Option<String>,
}

/// A row of `currant.journal`.
#[derive(Debug, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
struct Row {
    position: i32,
    run: i32,
    sum: i32,
    kind: String,
    operation: Option<i32>,
    name: Option<String>,
    /// In hexadecimal digits.
    hash: Option<String>,
    /// As it is stored, byte for byte.
    body: Option<String>,
    /// Microseconds since 1970.
    at: i64,
}

const ROWS: &str = "select position, run, sum, kind, operation, name, encode(hash, 'hex') as hash, body::text as body,
                           (extract(epoch from at) * 1000000)::bigint as at
                    from currant.journal where workflow_id = $1 and chain = $2 order by position";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("histories")
}

async fn stack_with_proof() -> Result<(Stack, WorkerProcess)> {
    let stack = Stack::new().await;
    let worker = stack.worker()?;
    stack.deploy(&guest("proof")).await?;
    Ok((stack, worker))
}

#[tokio::test]
async fn every_recorded_history_is_replayed_to_its_end() -> Result<()> {
    if std::env::var_os("CURRANT_RECORD_HISTORIES").is_some() {
        record_what_is_missing().await?;
    }
    let (stack, _worker) = stack_with_proof().await?;
    let mut replayed = 0;
    for version in std::fs::read_dir(folder())? {
        for file in std::fs::read_dir(version?.path())? {
            let path = file?.path();
            let history: History =
                serde_json::from_slice(&std::fs::read(&path)?).with_context(|| path.display().to_string())?;
            replay(&stack, &history).await.with_context(|| path.display().to_string())?;
            replayed += 1;
        }
    }
    ensure!(replayed >= 5, "only {replayed} histories are there");
    Ok(())
}

/// Puts a history where a worker finds it, and expects that it comes to its end without writing anything new.
async fn replay(stack: &Stack, history: &History) -> Result<()> {
    let id = history.id;
    put(stack, history).await?;
    if history.end.is_none() {
        stack.until_status(id, "suspended").await?;
        let kept: Vec<Row> = sqlx::query_as(ROWS).bind(id).bind(history.chain).fetch_all(stack.pool()).await?;
        ensure!(kept == history.journal, "it waits where it waited, but not with what it had: {kept:?}");
        answer(stack, id, history.token.as_deref().context("it waits for a token")?).await?;
    }
    let Ended { status, failure, .. } = stack.ended(id).await?;
    let expected = history.end.as_ref().map_or("completed", |end| end.status.as_str());
    ensure!(status == expected, "{status}, not {expected}: {failure}");
    let kept: Vec<Row> = sqlx::query_as(ROWS).bind(id).bind(history.chain).fetch_all(stack.pool()).await?;
    ensure!(kept[..history.journal.len()] == history.journal[..], "what was on record does not stand: {kept:?}");
    let started: i64 = stack.value(id, "select count(*) from currant.requests where parent_workflow_id = $1").await?;
    ensure!(started == 0, "{started} children were started again");
    if let Some(end) = &history.end {
        ensure!(kept.len() == history.journal.len(), "it went on after the end of its record: {kept:?}");
        let result: Option<String> = stack.value(id, "select result::text from currant.outcomes where id = $1").await?;
        ensure!(result == end.result, "{result:?}, not {:?}", end.result);
    }
    Ok(())
}

/// A started workflow becomes the recorded one. Its component is the one that is deployed, built from the same code.
async fn put(stack: &Stack, history: &History) -> Result<()> {
    let History { function, input, id, chain, chain_input, journal, .. } = history;
    let mut transaction = stack.pool().begin().await?;
    let started: Uuid = sqlx::query_scalar("select id from currant.enqueue($1, $2::json)")
        .bind(function)
        .bind(input.to_string())
        .fetch_one(&mut *transaction)
        .await?;
    for row in journal {
        sqlx::query(
            "insert into currant.journal (workflow_id, chain, position, run, sum, kind, operation, name, hash, body, at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, decode($9, 'hex'), $10::json, 'epoch'::timestamptz + $11 * interval '1 us')",
        )
        .bind(id)
        .bind(chain)
        .bind(row.position)
        .bind(row.run)
        .bind(row.sum)
        .bind(&row.kind)
        .bind(row.operation)
        .bind(&row.name)
        .bind(&row.hash)
        .bind(&row.body)
        .bind(row.at)
        .execute(&mut *transaction)
        .await?;
    }
    let last_run = journal.iter().map(|row| row.run).max();
    sqlx::query("update currant.requests set id = $2 where id = $1").bind(started).bind(id).execute(&mut *transaction).await?;
    sqlx::query("update currant.ready set id = $2, run = $3, resumes = true where id = $1")
        .bind(started)
        .bind(id)
        .bind(last_run)
        .execute(&mut *transaction)
        .await?;
    sqlx::query(
        "update currant.workflows set id = $2, run = $3, chain = $4, input = $5::json,
                digest = (select digest from currant.functions where name = $6)
         where id = $1",
    )
    .bind(started)
    .bind(id)
    .bind(last_run)
    .bind(chain)
    .bind(chain_input)
    .bind(function)
    .execute(&mut *transaction)
    .await?;
    Ok(transaction.commit().await?)
}

/// Somebody outside has the token, and somebody else approves.
async fn answer(stack: &Stack, id: Uuid, token: &str) -> Result<()> {
    sqlx::query("select currant.complete($1, '\"done\"')").bind(token).execute(stack.pool()).await?;
    stack.signal(id, "approved", json!({"by": "ada"})).await
}

/// Runs each kind of workflow once, and keeps what is on record of it.
async fn record_what_is_missing() -> Result<()> {
    let folder = folder().join(env!("CARGO_PKG_VERSION"));
    std::fs::create_dir_all(&folder)?;
    let (stack, _worker) = stack_with_proof().await?;
    for (name, function, input) in [
        ("everything", "kept_everything", json!({"b": 1.0, "a": [1e2, "ä"]})),
        ("waiting", "kept_everything", json!(null)),
        ("fan-out", "kept_fan_out", json!(20)),
        ("compensation", "kept_compensation", json!("the paint")),
        ("continuation", "kept_continuation", json!(0)),
    ] {
        let path = folder.join(format!("{name}.json"));
        if !path.exists() {
            let history = record(&stack, name, function, input).await?;
            std::fs::write(path, serde_json::to_string_pretty(&history)? + "\n")?;
        }
    }
    Ok(())
}

async fn record(stack: &Stack, name: &str, function: &str, input: Value) -> Result<History> {
    let id = stack.start(function, input.clone()).await?;
    let mut token: Option<String> = None;
    if function == "kept_everything" {
        let published = "select progress is not null and status = 'suspended' from currant.executions where id = $1";
        stack.until(id, published).await?;
        token = stack.value(id, "select progress #>> '{}' from currant.executions where id = $1").await?;
    }
    match (name, &token) {
        ("everything", Some(token)) => answer(stack, id, token).await?,
        ("compensation", _) => {
            stack.until_status(id, "suspended").await?;
            sqlx::query("select currant.cancel($1)").bind(id).execute(stack.pool()).await?;
        }
        _ => {}
    }
    let (mut end, mut chain, mut chain_input) = (None, 1, None);
    if name != "waiting" {
        let Ended { status, .. } = stack.ended(id).await?;
        let result = stack.value(id, "select result::text from currant.outcomes where id = $1").await?;
        end = Some(End { status, result });
        chain = stack.value(id, "select chain from currant.outcomes where id = $1").await?;
        chain_input = stack.value(id, "select input::text from currant.outcomes where id = $1").await?;
    }
    let journal = sqlx::query_as(ROWS).bind(id).bind(chain).fetch_all(stack.pool()).await?;
    Ok(History { function: function.into(), input, id, chain, chain_input, end, token, journal })
}
