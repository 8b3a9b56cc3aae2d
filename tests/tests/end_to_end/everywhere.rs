//! The world stops at every point at which something becomes durable. `scripts/crash-everywhere` tries all of them; here it is a share.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use currant_tests::{Ended, Report, Scenario, Stack, Witness, everywhere, guest, nothing_undecided_was_done};
use serde_json::{Value, json};
use uuid::Uuid;

/// Which stops are tried: every so-many-th, 1 for all of them. Four stops belong to a commit, so that an odd number comes to each kind.
fn every(default: usize) -> usize {
    std::env::var("CURRANT_CRASH_EVERY").ok().and_then(|every| every.parse().ok()).unwrap_or(default)
}

/// As many points must be met as make the test worth its name, and there is something to read in the log.
fn enough(name: &str, report: &Report) -> Result<()> {
    let Report { points, runs, stopped } = report;
    eprintln!("{name}: {} points, {runs} runs, {stopped} of them stopped", points.len());
    ensure!(2 * stopped > *runs, "only {stopped} of {runs} runs of {name} were stopped");
    Ok(())
}

#[tokio::test]
async fn a_checkout_comes_to_the_same_end_wherever_it_is_stopped() -> Result<()> {
    enough("checkout", &everywhere(Checkout, every(5)).await?)
}

#[tokio::test]
async fn a_fan_out_comes_to_the_same_end_wherever_it_is_stopped() -> Result<()> {
    let gather = Gather { witness: Witness::start().await? };
    enough("fan-out", &everywhere(gather, every(7)).await?)
}

/// The example, approved as soon as somebody asks for it.
struct Checkout;

impl Scenario for Checkout {
    fn component(&self) -> PathBuf {
        guest("checkout")
    }

    fn deploy_options(&self) -> Vec<String> {
        Vec::new()
    }

    async fn start(&self, stack: &Stack) -> Result<Uuid> {
        stack.start("checkout", json!({"order": 42, "items": ["mug"], "amount": 1250, "pause_seconds": 0})).await
    }

    async fn meanwhile(&self, stack: &Stack, id: Uuid) -> Result<()> {
        stack.until(id, "select count(*) = 1 from currant.journal where workflow_id = $1 and kind = 'receive'").await?;
        stack.signal_once(id, "approved", json!("ada")).await
    }

    async fn told(&self, stack: &Stack, id: Uuid, ended: &Ended) -> Result<Vec<String>> {
        let Ended { status, result, .. } = ended;
        let tracking: String =
            stack.value(id, "select body #>> '{}' from currant.journal where workflow_id = $1 and kind = 'step'").await?;
        ensure!(result["tracking"] == json!(tracking), "{result}: the parcel's number is not the recorded {tracking}");
        let children: Vec<(String, String, Value, i64)> = sqlx::query_as(
            "select function, status, input::jsonb, (select count(*) from currant.logs where execution_id = executions.id)
             from currant.executions where parent_workflow_id = $1 order by created_at, id",
        )
        .bind(id)
        .fetch_all(stack.pool())
        .await?;
        let mut told = stack.history(id).await?;
        for (function, status, input, lines) in children {
            ensure!(function != "ship" || input[1] == json!(tracking), "shipped with a number that is not on record: {input}");
            ensure!(lines > 0, "{function} has left no line");
            told.push(format!("{function} {status}"));
        }
        told.push(format!("{status} {} {} {}", result["order"], result["attempts"], result["approved_by"]));
        Ok(told)
    }
}

/// A fan-out with two racers, a part of its own, timers, and a signal, all of whose doings are witnessed.
struct Gather {
    witness: Witness,
}

impl Scenario for Gather {
    fn component(&self) -> PathBuf {
        guest("proof")
    }

    fn deploy_options(&self) -> Vec<String> {
        vec!["--allow-http".into(), self.witness.address()]
    }

    async fn start(&self, stack: &Stack) -> Result<Uuid> {
        stack.start("gather", json!([self.witness.address(), 4, 50, 60_000])).await
    }

    async fn meanwhile(&self, stack: &Stack, id: Uuid) -> Result<()> {
        stack.until(id, "select count(*) = 1 from currant.journal where workflow_id = $1 and kind = 'receive'").await?;
        stack.signal_once(id, "approved", json!("ada")).await
    }

    async fn told(&self, stack: &Stack, id: Uuid, ended: &Ended) -> Result<Vec<String>> {
        let Ended { status, result, .. } = ended;
        ensure!(status == "completed", "{ended:?}");
        nothing_undecided_was_done(stack.pool(), &self.witness, id, result).await?;
        let (mut calls, mut deliveries) = (Vec::new(), Vec::new());
        for line in stack.history(id).await? {
            let mut words = line.split(' ');
            let (kind, _, name) = (words.next().unwrap_or_default(), words.next(), words.next().unwrap_or_default());
            // What runs side by side ends in any order, and either of two racers may win.
            let side_by_side = matches!(kind, "completed" | "failed" | "signal" | "cancel");
            let lines = if side_by_side { &mut deliveries } else { &mut calls };
            lines.push(format!("{kind} {name}"));
        }
        deliveries.sort();
        calls.extend(deliveries);
        calls.push(format!("{} {}", result["sum"], result["approved_by"]));
        Ok(calls)
    }
}
