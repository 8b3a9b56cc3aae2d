//! What it costs to enqueue, beside plain inserts of the same rows in the same batches: ids, checks, keys and hints are the difference.

use std::time::{Duration, Instant};

use anyhow::Result;
use currant_core::Client;
use currant_core::executions::NewExecution;
use currant_core::ids::FunctionName;
use currant_core::values::Json;
use futures_util::future::try_join_all;
use uuid::Uuid;

use super::super::load::ORDER;
use super::super::meter::{Cost, Reading};
use super::super::report::{Enqueued, Report, Written};
use super::super::say;
use super::Bench;

const PLAIN: &str = include_str!("../queries/plain_enqueue.sql");

/// The two take turns, so that what else happens on the machine happens to both.
const TURNS: u32 = 4;

/// Who writes.
#[derive(Clone, Copy)]
enum Way {
    Plain,
    Currant,
}

impl Bench<'_> {
    pub(super) async fn enqueue(&self, report: &mut Report) -> Result<()> {
        for (name, rows, connections) in [
            ("enqueue_many, 500 in a call", 500, 1),
            ("enqueue_many, 1000 in a call, as start --input-file", 1_000, 1),
            ("enqueue, from 8 connections", 1, 8),
        ] {
            say(&format!("measuring {name}, beside plain inserts"));
            let mut rounds = Vec::new();
            for _ in 0..self.args.rounds {
                self.database.settle(self.kept).await?;
                let (mut plain, mut currant) = (Vec::new(), Vec::new());
                for _ in 0..TURNS {
                    plain.push(self.turn(Way::Plain, rows, connections).await?);
                    currant.push(self.turn(Way::Currant, rows, connections).await?);
                }
                rounds.push((Written::sum(&plain), Written::sum(&currant)));
            }
            report.enqueued.push(Enqueued::median(name, rows, connections, rounds));
        }
        self.database.settle(self.kept).await
    }

    async fn turn(&self, way: Way, rows: usize, connections: usize) -> Result<(u64, f64, Cost)> {
        let until = Duration::from_secs_f64(self.args.seconds) / TURNS;
        let before = Reading::take(self.database, &[]).await?;
        let began = Instant::now();
        let written: u64 =
            try_join_all((0..connections).map(|_| self.write_until(way, rows, began + until))).await?.iter().sum();
        let after = Reading::take(self.database, &[]).await?;
        // By our own clock, as the deadline is.
        Ok((written, began.elapsed().as_secs_f64(), after.cost_since(&before, 1.0)))
    }

    async fn write_until(&self, way: Way, rows: usize, until: Instant) -> Result<u64> {
        let client = Client::new(self.database.client.clone());
        let inputs = vec![Json::parse(ORDER.into())?; rows];
        let new = NewExecution::new(FunctionName::parse("noop")?, inputs[0].clone());
        let mut written = 0;
        while Instant::now() < until {
            match (way, rows) {
                (Way::Plain, _) => {
                    let ids: Vec<Uuid> = (0..rows).map(|_| Uuid::now_v7()).collect();
                    sqlx::query(PLAIN).bind(ids).bind(&inputs).execute(client.pool()).await?;
                }
                (Way::Currant, 1) => drop(client.enqueue(new.clone()).await?),
                (Way::Currant, _) => drop(client.enqueue_many(&new, &inputs).await?),
            }
            written += rows as u64;
        }
        Ok(written)
    }
}
