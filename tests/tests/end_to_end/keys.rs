//! Keys under stress: many callers, many keys, tasks that fail and tasks that succeed, and real workers that end them meanwhile.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use currant_tests::{PATIENCE, Stack, behaviours};
use sqlx::{Connection, Executor, PgConnection};
use tokio::time::{Duration, Instant, sleep};
use uuid::Uuid;

const CALLERS: usize = 16;
const KEYS: usize = 1_000;

/// Who starts an execution sees under the key's lock what came before it: one that is open, or has completed, must not be there.
const REFUSE_A_SECOND: &str = "
    create function refuse_a_second() returns trigger language plpgsql as $$
    begin
        if exists (
            select from currant.requests other
            left join currant.outcomes outcome on outcome.id = other.id
            where other.task_id = new.task_id and other.id <> new.id and coalesce(outcome.status, 'open') in ('open', 'completed'))
        then
            raise exception 'the key % has two', new.task_id;
        end if;
        return null;
    end $$;
    create trigger refuse_a_second after insert on currant.requests for each row execute function refuse_a_second();
    create index requests_of_key on currant.requests (task_id)";

/// Goal: no key is ever active twice, and every caller is answered. Method: sixteen connections ask for each of a thousand keys, half of them
/// for a task that fails and half for one that succeeds, and ask again until they are answered with a result; a trigger refuses what must not
/// be. Once a key has completed, everybody has the same answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_callers_of_a_thousand_keys_are_all_answered_with_one_result_each() -> Result<()> {
    let stack = Stack::new().await;
    let _workers = [stack.worker()?, stack.worker()?];
    stack.deploy(&behaviours()).await?;
    stack.pool().execute(REFUSE_A_SECOND).await?;

    let calling = (0..CALLERS).map(|caller| tokio::spawn(call_all(stack.database.url(), caller)));
    let mut answers: BTreeMap<usize, (Uuid, String)> = BTreeMap::new();
    for calling in calling.collect::<Vec<_>>() {
        for (key, answer) in calling.await?? {
            assert_eq!(answers.entry(key).or_insert_with(|| answer.clone()), &answer, "key {key} has one result");
        }
    }
    assert_eq!(answers.len(), KEYS);
    let (keys, completed, failed): (i64, i64, i64) = sqlx::query_as(
        "select count(distinct task_id), count(*) filter (where status = 'completed'), count(*) filter (where status = 'failed')
         from currant.executions",
    )
    .fetch_one(stack.pool())
    .await?;
    assert_eq!((keys, completed), (KEYS as i64, KEYS as i64), "each key has completed once");
    assert!(failed > 100, "many have failed before: {failed}");
    Ok(())
}

/// Asks for every key, each caller in an order of its own, until each has completed.
async fn call_all(url: String, caller: usize) -> Result<Vec<(usize, (Uuid, String))>> {
    let mut connection = PgConnection::connect(&url).await?;
    let mut answered = Vec::new();
    let mut left: Vec<usize> = (0..KEYS).map(|key| (key * 7 + caller * 61) % KEYS).collect();
    let deadline = Instant::now() + PATIENCE;
    while !left.is_empty() {
        if Instant::now() > deadline {
            bail!("caller {caller} waits for {} keys, {} among them", left.len(), left[0]);
        }
        let mut asked_again = Vec::new();
        for key in left {
            let (function, input) = match (key + caller) % 2 {
                0 => ("fail", format!("{{\"code\": \"declined\", \"details\": {key}}}")),
                _ => ("echo", key.to_string()),
            };
            let (id, status, result): (Uuid, String, Option<String>) = sqlx::query_as(
                "select id, status, result::text from currant.enqueue($1, $2::json, task_id => $3, retries => 0)",
            )
            .bind(function)
            .bind(input)
            .bind(format!("key-{key}"))
            .fetch_one(&mut connection)
            .await
            .context("every caller is answered")?;
            match (status.as_str(), result) {
                ("completed", Some(result)) => {
                    assert_eq!(result, key.to_string());
                    answered.push((key, (id, result)));
                }
                ("pending" | "running", None) => asked_again.push(key),
                other => bail!("key {key} is answered with {other:?}"),
            }
        }
        left = asked_again;
        sleep(Duration::from_millis(5)).await;
    }
    Ok(answered)
}
