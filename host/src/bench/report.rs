//! What was measured, as `--json` prints it. `docs/performance.md` says what each field means; a test compares the two.

use std::time::Duration;

use serde::Serialize;

use super::database::Server;
use super::meter::Cost;
use super::sandbox::{Loaded, Sandboxed};

/// One run of the benchmark.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub(super) run: Run,
    pub(super) loaded: Option<Loaded>,
    pub(super) sandbox: Vec<Sandboxed>,
    pub(super) throughput: Vec<Throughput>,
    pub(super) enqueued: Vec<Enqueued>,
    pub(super) latency: Vec<Latency>,
    pub(super) sustained: Vec<Sustained>,
    pub(super) rate_limits: Vec<RateLimited>,
    /// The rate of tasks with a limit that does not bind ÷ the rate without one.
    pub(super) loose_limit_of_none: Option<f64>,
    pub(super) retention: Option<Retention>,
    pub(super) idle: Option<Idle>,
    pub(super) waiting: Option<Waiting>,
    pub(super) scaling: Vec<Scaling>,
}

/// What it was measured on.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Run {
    pub(super) version: &'static str,
    /// Whether this program's own code was optimised.
    pub(super) optimised: bool,
    pub(super) cores: usize,
    /// Before anything was measured.
    pub(super) load: Option<f64>,
    pub(super) postgres: Server,
    /// Whether the server's processor time can be seen from here.
    pub(super) postgres_is_local: bool,
    /// Whether the server counts statements.
    pub(super) statements_are_counted: bool,
    /// The digest of the module that ran.
    pub(super) module: String,
    pub(super) module_bytes: usize,
    /// Seconds of one round.
    pub(super) seconds: f64,
    pub(super) rounds: u32,
    pub(super) history: u64,
    pub(super) backlog: u64,
}

/// How many executions there were in a time, and what each one cost.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Sample {
    pub(super) executions: i64,
    pub(super) seconds: f64,
    pub(super) per_second: f64,
    #[serde(flatten)]
    pub(super) cost: Cost,
    /// Cores that processes took meanwhile which are no part of the benchmark.
    pub(super) cores_of_others: Option<f64>,
    /// Of the largest worker.
    pub(super) worker_resident_bytes: Option<u64>,
    /// The statements that took the most time, of the whole measure.
    pub(super) statements_by_time: Vec<Statement>,
}

/// A statement, and how much of the server's time it took.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub(super) struct Statement {
    pub(super) query: String,
    pub(super) calls: i64,
    pub(super) total_ms: f64,
    pub(super) mean_ms: f64,
    pub(super) rows: i64,
}

/// The system under a load, and the floor under the same.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Throughput {
    pub(super) name: String,
    pub(super) workers: u32,
    /// Executions at once in a worker.
    pub(super) slots: u32,
    pub(super) floor: Option<Sample>,
    pub(super) system: Sample,
    /// Cores ÷ (the floor's Postgres time + the sandbox's time), per execution.
    pub(super) ideal_per_second: Option<f64>,
    pub(super) of_ideal: Option<f64>,
    /// The system's Postgres time ÷ the floor's.
    pub(super) postgres_of_floor: Option<f64>,
    /// The system's write-ahead log ÷ the floor's.
    pub(super) wal_of_floor: Option<f64>,
}

impl Throughput {
    /// The system beside the floor. `sandbox_us` is the processor time of an execution's calls in the sandbox.
    pub(super) fn new(
        name: &str,
        (workers, slots): (u32, u32),
        floor: Option<Sample>,
        system: Sample,
        sandbox_us: Option<f64>,
        cores: usize,
    ) -> Throughput {
        let budget = floor.as_ref().and_then(|floor| floor.cost.postgres_us).zip(sandbox_us);
        let ideal_per_second = budget.map(|(postgres, sandbox)| cores as f64 * 1e6 / (postgres + sandbox));
        let of_floor = |of: fn(&Cost) -> Option<f64>| {
            let floor = of(&floor.as_ref()?.cost).filter(|floor| *floor > 0.0)?;
            Some(of(&system.cost)? / floor)
        };
        Throughput {
            name: name.into(),
            workers,
            slots,
            ideal_per_second,
            of_ideal: ideal_per_second.map(|ideal| system.per_second / ideal),
            postgres_of_floor: of_floor(|cost| cost.postgres_us),
            wal_of_floor: of_floor(|cost| Some(cost.wal_bytes)),
            floor,
            system,
        }
    }
}

/// Rows of executions that were written in a time, by `currant.enqueue` or by plain inserts.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Written {
    pub(super) per_second: f64,
    pub(super) postgres_us: Option<f64>,
    pub(super) wal_bytes: f64,
}

impl Written {
    /// Of several turns: how many, in how many seconds, at what cost in all.
    pub(super) fn sum(turns: &[(u64, f64, Cost)]) -> Written {
        let rows = turns.iter().map(|(rows, ..)| *rows as f64).sum::<f64>().max(1.0);
        let postgres_us: Option<f64> = turns.iter().map(|(.., cost)| cost.postgres_us).sum();
        Written {
            per_second: rows / turns.iter().map(|(_, seconds, _)| seconds).sum::<f64>(),
            postgres_us: postgres_us.map(|all| all / rows),
            wal_bytes: turns.iter().map(|(.., cost)| cost.wal_bytes).sum::<f64>() / rows,
        }
    }
}

/// Enqueuing beside plain inserts of the same rows.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Enqueued {
    pub(super) name: String,
    pub(super) rows_per_call: usize,
    pub(super) connections: usize,
    pub(super) plain: Written,
    pub(super) currant: Written,
    /// The rate ÷ that of plain inserts.
    pub(super) rate_of_plain: f64,
    /// The Postgres time ÷ that of plain inserts.
    pub(super) postgres_of_plain: Option<f64>,
}

impl Enqueued {
    /// The round with the median ratio of the rates.
    pub(super) fn median(
        name: &str,
        rows_per_call: usize,
        connections: usize,
        mut rounds: Vec<(Written, Written)>,
    ) -> Enqueued {
        rounds.sort_by(|(plain, currant), (other_plain, other)| {
            (currant.per_second / plain.per_second).total_cmp(&(other.per_second / other_plain.per_second))
        });
        let (plain, currant) = rounds.swap_remove(rounds.len() / 2);
        Enqueued {
            name: name.into(),
            rows_per_call,
            connections,
            rate_of_plain: currant.per_second / plain.per_second,
            postgres_of_plain: currant.postgres_us.zip(plain.postgres_us).map(|(currant, plain)| currant / plain),
            plain,
            currant,
        }
    }
}

/// What a rate limit has delivered.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RateLimited {
    pub(super) workers: u32,
    pub(super) limit_per_second: f64,
    pub(super) burst: f64,
    pub(super) seconds: f64,
    /// Claims in this time.
    pub(super) delivered: usize,
    pub(super) delivered_of_limit: f64,
    /// How much of the burst the window used that saw the most claims for its length: never more than 1.
    pub(super) most_of_burst: f64,
    /// How soon the claims followed a limit that was raised, and one that was lowered.
    pub(super) raised_holds_after_s: Option<f64>,
    pub(super) lowered_holds_after_s: Option<f64>,
}

/// What deleting does to those who claim and run.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Retention {
    /// That had ended, and were to be deleted.
    pub(super) rows: u64,
    pub(super) deleted_per_second: f64,
    pub(super) throughput_of_quiet: f64,
    pub(super) p50_of_quiet: f64,
    pub(super) p99_of_quiet: f64,
    /// How often it was looked whether somebody waits for another's lock, and how often somebody did.
    pub(super) looks: u64,
    pub(super) waits_for_locks: u64,
}

/// How long something takes on an idle machine, one after the other.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Latency {
    pub(super) name: String,
    pub(super) count: usize,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) longest_ms: f64,
}

impl Latency {
    pub(super) fn of(name: &str, mut times: Vec<Duration>) -> Latency {
        times.sort_unstable();
        // The smallest that at least this share does not exceed.
        let at = |share: f64| {
            let rank = (share * times.len() as f64).ceil() as usize;
            times.get(rank.clamp(1, times.len().max(1)) - 1).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        Latency { name: name.into(), count: times.len(), p50_ms: at(0.5), p99_ms: at(0.99), longest_ms: at(1.0) }
    }
}

/// A rate that is watched for a while.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Sustained {
    pub(super) name: String,
    /// Executions in each second.
    pub(super) by_second: Vec<i64>,
    /// Per second, in the first and in the last sixth of the time.
    pub(super) first: f64,
    pub(super) last: f64,
    pub(super) last_of_first: f64,
    #[serde(flatten)]
    pub(super) sample: Sample,
}

/// A worker that has nothing to do.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Idle {
    pub(super) seconds: f64,
    pub(super) resident_bytes: Option<u64>,
    /// Of one core.
    pub(super) cpu_percent: Option<f64>,
    pub(super) statements_per_second: Option<f64>,
    /// Transactions that wrote something.
    pub(super) transactions_per_second: f64,
}

/// Workflows that wait for a signal, in one worker.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Waiting {
    pub(super) workflows: u64,
    /// From the enqueue of the first until all of them wait.
    pub(super) seconds_to_wait: f64,
    pub(super) resident_bytes: Option<u64>,
    /// What it has grown by.
    pub(super) resident_bytes_each: Option<f64>,
    /// Without what all instances share.
    pub(super) own_bytes: Option<u64>,
    pub(super) own_bytes_each: Option<f64>,
    /// From the first signal until all of them have ended.
    pub(super) seconds_to_end: f64,
}

/// What one more costs in a workflow that has many.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Scaling {
    /// Of what.
    pub(super) name: &'static str,
    /// How many the workflow has.
    pub(super) size: u32,
    /// Each of them, in microseconds; as all that follows.
    pub(super) wall_us: f64,
    pub(super) worker_us: Option<f64>,
    pub(super) postgres_us: Option<f64>,
    pub(super) wal_bytes: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let latency = Latency::of("", (1..=100).rev().map(Duration::from_millis).collect());
        assert_eq!((latency.p50_ms, latency.p99_ms, latency.longest_ms), (50.0, 99.0, 100.0));
        assert_eq!(Latency::of("", vec![Duration::from_millis(7)]).p50_ms, 7.0);
        assert_eq!(Latency::of("", Vec::new()).p99_ms, 0.0);
    }

    #[test]
    fn the_ideal_is_what_all_cores_do_when_nothing_else_is_to_be_done() {
        let sample = |per_second, postgres_us, wal_bytes| Sample {
            executions: 1,
            seconds: 1.0,
            per_second,
            cost: Cost { postgres_us: Some(postgres_us), wal_bytes, ..Cost::default() },
            cores_of_others: None,
            worker_resident_bytes: None,
            statements_by_time: Vec::new(),
        };
        let (floor, system) = (sample(30_000.0, 40.0, 1_000.0), sample(10_000.0, 60.0, 1_200.0));
        let measured = Throughput::new("tasks", (1, 64), Some(floor), system.clone(), Some(60.0), 2);
        assert_eq!(measured.ideal_per_second, Some(20_000.0));
        assert_eq!(measured.of_ideal, Some(0.5));
        assert_eq!((measured.postgres_of_floor, measured.wal_of_floor), (Some(1.5), Some(1.2)));
        let alone = Throughput::new("tasks", (1, 64), None, system, Some(60.0), 2);
        assert_eq!((alone.ideal_per_second, alone.of_ideal, alone.wal_of_floor), (None, None, None));
    }
}
