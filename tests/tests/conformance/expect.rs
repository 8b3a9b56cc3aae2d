//! What came of a case against what was to come of it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use currant_tests::{PATIENCE, Stack};
use serde_json::Value;
use sqlx::Row;
use uuid::Uuid;

use super::cases::{Case, Code, Entries, Failure};
use super::guests::Language;

/// Fails with what is not as it should be.
pub(crate) async fn check(stack: &Stack, case: &Case, id: Uuid, language: Language) -> Result<()> {
    let row = sqlx::query("select status, result::text, failure::text from currant.result($1)")
        .bind(id)
        .fetch_one(stack.pool())
        .await?;
    let (status, result): (String, Option<String>) = (row.get("status"), row.get("result"));
    let failure: Option<String> = row.get("failure");
    let has_result = case.result.is_some() || case.result_has.is_some() || case.result_between.is_some();
    let expected = case.status.as_deref().unwrap_or(if has_result { "completed" } else { "failed" });
    ensure!(status == expected, "it is {status}, not {expected}: {}", result.or(failure).unwrap_or_default());

    check_result(case, result.as_deref())?;
    if let Some(expected) = &case.failure {
        check_failure(expected, &json(failure.as_deref().unwrap_or("null"))?, language)?;
    }
    check_journal(&case.journal, &journal(stack, id).await?)?;
    if let Some(expected) = &case.attempts {
        let attempts: Vec<String> =
            rows(stack, id, "select failure ->> 'code' from currant.attempts where id = $1 order by run").await?;
        ensure!(attempts == *expected, "the attempts before failed with {attempts:?}, not {expected:?}");
    }
    if let Some(expected) = &case.children {
        const CHILDREN: &str = "select function || ' ' || coalesce(status, 'changing') from currant.executions where parent_workflow_id = $1 order by 1";
        until(stack, id, CHILDREN, "children", expected).await?;
    }
    if let Some(expected) = &case.logs {
        const LOGS: &str = "select level || ' ' || message from currant.logs where execution_id = $1 order by run, line";
        until(stack, id, LOGS, "log", expected).await?;
    }
    if let Some(expected) = &case.child {
        let child: String =
            stack.value(id, "select to_jsonb(r)::text from currant.requests r where parent_workflow_id = $1").await?;
        has("its child", &json(&child)?, &json(expected)?)?;
    }
    if let Some(expected) = &case.progress {
        let progress: Option<String> = stack.value(id, "select progress::text from currant.executions where id = $1").await?;
        ensure!(
            json(progress.as_deref().unwrap_or("null"))? == json(expected)?,
            "its progress is {progress:?}, not {expected}"
        );
    }
    if let Some(least) = case.takes_ms {
        const TOOK: &str =
            "select (extract(epoch from ended_at - created_at) * 1000)::bigint from currant.executions where id = $1";
        let took: i64 = stack.value(id, TOOK).await?;
        ensure!(took >= i64::try_from(least)?, "it took {took} ms, not {least}");
    }
    Ok(())
}

fn check_result(case: &Case, result: Option<&str>) -> Result<()> {
    let text = result.unwrap_or("null");
    if let Some(expected) = &case.result {
        if case.every_byte {
            ensure!(text == expected, "its result is {text}, not, byte for byte, {expected}");
        }
        ensure!(json(text)? == json(expected)?, "its result is {text}, not {expected}");
    }
    if let Some(expected) = &case.result_has {
        has("its result", &json(text)?, &json(expected)?)?;
    }
    if let Some([least, most]) = case.result_between {
        let within = json(text)?.as_u64().is_some_and(|number| (least..=most).contains(&number));
        ensure!(within, "its result is {text}, not between {least} and {most}");
    }
    Ok(())
}

fn check_failure(expected: &Failure, failure: &Value, language: Language) -> Result<()> {
    let code = match &expected.code {
        Code::Same(code) => code,
        Code::Own(codes) => codes.of(language),
    };
    ensure!(failure["code"] == code.as_str(), "its code is {}, not {code}: {failure}", failure["code"]);
    let message = failure["message"].as_str().unwrap_or_default();
    if let Some(expected) = &expected.message {
        ensure!(message == expected, "its message is {message:?}, not {expected:?}");
    }
    if let Some(part) = &expected.says {
        ensure!(message.contains(part), "its message is {message:?}, and does not say {part:?}");
    }
    if let Some(details) = &expected.details {
        ensure!(failure["details"] == json(details)?, "its details are {}, not {details}", failure["details"]);
    }
    Ok(())
}

/// As the table writes it.
async fn journal(stack: &Stack, id: Uuid) -> Result<Vec<String>> {
    const JOURNAL: &str = "select kind || coalesce(' ' || name, case when kind in ('completed', 'failed', 'cancel') then ' ' || operation end, '')
        from currant.journal where workflow_id = $1 order by chain, position";
    rows(stack, id, JOURNAL).await
}

fn check_journal(expected: &[Entries], journal: &[String]) -> Result<()> {
    let mut left = journal;
    for entries in expected {
        let next = match entries {
            Entries::One(entry) => left.first() == Some(entry),
            Entries::AnyOrder(entries) => {
                let mut next = left[..entries.len().min(left.len())].to_vec();
                let mut entries = entries.clone();
                next.sort();
                entries.sort();
                next == entries
            }
        };
        ensure!(next, "at {entries:?} its journal is something else: {journal:?}");
        left = match entries {
            Entries::One(_) => &left[1..],
            Entries::AnyOrder(entries) => &left[entries.len()..],
        };
    }
    ensure!(left.is_empty(), "its journal goes on with {left:?}: {journal:?}");
    Ok(())
}

/// That each member is there, and the members of members too; of lists all.
fn has(what: &str, value: &Value, expected: &Value) -> Result<()> {
    let Value::Object(members) = expected else {
        ensure!(value == expected, "{what} is {value}, not {expected}");
        return Ok(());
    };
    for (name, member) in members {
        let found = value.get(name).with_context(|| format!("{what} has no {name}: {value}"))?;
        has(&format!("{what}.{name}"), found, member)?;
    }
    Ok(())
}

/// Children that are cancelled, and log lines, may come a little later than the end.
async fn until(stack: &Stack, id: Uuid, query: &'static str, what: &str, expected: &[String]) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = rows(stack, id, query).await?;
        if found == expected {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "its {what} is {found:?}, not {expected:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn rows(stack: &Stack, id: Uuid, query: &'static str) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(query).bind(id).fetch_all(stack.pool()).await?)
}

fn json(text: &str) -> Result<Value> {
    serde_json::from_str(text).with_context(|| format!("not JSON: {text}"))
}
