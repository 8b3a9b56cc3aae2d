//! The benchmark: that it runs, says what its page says it does, and leaves nothing behind. What it measures is nobody's business here.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use currant_tests::{Stack, guest};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor};
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::test]
async fn it_measures_what_its_page_says_and_drops_its_database() -> Result<()> {
    let stack = Stack::new().await;
    let output = bench(&stack)?.args(["--quick", "--json"]).output().await?;
    let said = String::from_utf8(output.stderr)?;
    ensure!(output.status.success(), "{said}");
    assert!(!exists(&stack, own_database(&said)?).await?, "its database is left behind");

    let report: Value = serde_json::from_slice(&output.stdout)?;
    let mut found = BTreeSet::new();
    fields(&report, String::new(), &mut found);
    let documented = documented()?;
    assert_eq!(found.difference(&documented).collect::<Vec<_>>(), Vec::<&String>::new(), "not in docs/performance.md");
    assert_eq!(documented.difference(&found).collect::<Vec<_>>(), Vec::<&String>::new(), "only in docs/performance.md");

    assert_eq!(report["sandbox"].as_array().map(Vec::len), Some(3));
    assert_eq!(report["waiting"]["workflows"], 20);
    Ok(())
}

#[tokio::test]
async fn interrupted_it_drops_its_database_and_stops_its_workers() -> Result<()> {
    let stack = Stack::new().await;
    let mut bench =
        bench(&stack)?.args(["--only", "tasks", "--seconds", "0.5", "--rounds", "10000"]).stderr(Stdio::piped()).spawn()?;
    let mut said = BufReader::new(bench.stderr.take().context("it is piped")?).lines();
    let database = loop {
        let line = said.next_line().await?.context("it ended by itself")?;
        if let Ok(database) = own_database(&line) {
            break database.to_owned();
        }
    };
    while said.next_line().await?.context("it ended by itself")? != "measuring the floor: tasks" {}
    let pid = bench.id().context("it runs")?;
    assert!(std::process::Command::new("kill").args(["-INT", &pid.to_string()]).status()?.success());
    let ended = bench.wait().await?;
    assert_eq!(ended.code(), Some(130));
    assert!(!exists(&stack, &database).await?, "its database is left behind");
    Ok(())
}

#[tokio::test]
async fn an_account_that_may_not_create_databases_is_told_so() -> Result<()> {
    let stack = Stack::new().await;
    let role = format!("currant_test_{}", uuid::Uuid::now_v7().simple());
    stack.pool().execute(AssertSqlSafe(format!("create role {role} login"))).await?;
    let url = stack.database.url().replacen("postgres@", &format!("{role}@"), 1);
    ensure!(url.contains(&role), "{url} names no account");
    let output = bench(&stack)?.args(["--quick", "--database-url", &url]).output().await?;
    stack.pool().execute(AssertSqlSafe(format!("drop role {role}"))).await?;
    let said = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("may not create databases") && said.contains("hint: name an account that may"), "{said}");
    Ok(())
}

fn bench(stack: &Stack) -> Result<tokio::process::Command> {
    let mut command = tokio::process::Command::from(stack.command("currant-host")?);
    command.arg("bench").arg("--module").arg(guest("bench")).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

fn own_database(said: &str) -> Result<&str> {
    let name = said.lines().find_map(|line| line.strip_prefix("working in the database "));
    Ok(name.context("it does not name its database")?.trim_end_matches(", which is dropped at the end"))
}

async fn exists(stack: &Stack, database: &str) -> Result<bool> {
    let query = sqlx::query_scalar("select exists (select from pg_database where datname = $1)").bind(database);
    Ok(query.fetch_one(stack.pool()).await?)
}

/// The paths of all values in the JSON, those of an array's elements only once. What a floor and a sustained load have in common with a
/// system is documented there.
fn fields(value: &Value, path: String, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(key, value)| {
            let of_sample = path == "sustained[]" && !["name", "by_second", "first", "last", "last_of_first"].contains(&&**key);
            match () {
                () if of_sample => fields(value, format!("throughput[].system.{key}"), found),
                () if path.is_empty() => fields(value, key.clone(), found),
                () => fields(value, format!("{path}.{key}"), found),
            }
        }),
        Value::Array(elements) if elements.iter().any(Value::is_object) => {
            elements.iter().for_each(|element| fields(element, format!("{path}[]"), found));
        }
        _ => drop(found.insert(path.replace("throughput[].floor.", "throughput[].system."))),
    }
}

fn documented() -> Result<BTreeSet<String>> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md"))?;
    let (_, table) = page.split_once("## JSON").context("the page has a section on the JSON")?;
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    Ok(rows.map(|(field, _)| field.to_owned()).filter(|field| !field.ends_with(']')).collect())
}
