//! Entries as rows of `currant.journal`, and back. The kinds are read by people (`currant history`) and by `currant.settle`.
//!
//! The form of the rows has a version, kept in the first entry. A journal that was recorded must be readable for ever: a change of
//! the form gets a new version, and the old ones stay readable.

use std::collections::VecDeque;

use currant_core::executions::Failure;
use currant_core::ids::{Digest, ExecutionId};
use currant_core::journal::JournalRow;
use currant_core::values::Json;
use serde::{Deserialize, Serialize};

use super::entry::{Call, Entry};
use crate::guest::Outcome;

const VERSION: u32 = 1;

/// A row of the journal is not what this version, or any earlier one, writes.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("the journal is corrupted at position {position}: {reason}")]
pub struct Corrupted {
    /// Where.
    pub position: i32,
    /// What is wrong with it.
    pub reason: String,
}

impl Corrupted {
    pub(super) fn new(position: i32, reason: impl Into<String>) -> Corrupted {
        Corrupted { position, reason: reason.into() }
    }
}

#[derive(Serialize, Deserialize)]
struct StartBody {
    version: u32,
    digest: Digest,
}

#[derive(Serialize, Deserialize)]
struct ExternalBody {
    secret: String,
}

/// The row of an entry.
pub(super) fn encode(position: i32, entry: &Entry) -> JournalRow {
    let blank =
        JournalRow { position, kind: String::new(), operation: None, name: None, hash: None, body: None, at: None, sum: None };
    match entry {
        Entry::Started { at, digest } => JournalRow {
            kind: "started".into(),
            body: Some(json(&StartBody { version: VERSION, digest: *digest })),
            at: Some(*at),
            ..blank
        },
        Entry::Called { operation, call, at } => {
            JournalRow { operation: (*operation > 0).then_some(*operation), at: *at, ..encode_call(blank, call) }
        }
        Entry::Step { operation, name, outcome } => {
            let (kind, body) = encode_outcome(outcome, "step", "step-failed");
            JournalRow { kind, operation: Some(*operation), name: Some(name.clone()), body: Some(body), ..blank }
        }
        Entry::Delivered { operation, signal, outcome, at } => {
            let completed = if signal.is_some() { "signal" } else { "completed" };
            let (kind, body) = encode_outcome(outcome, completed, "failed");
            JournalRow { kind, operation: Some(*operation), name: signal.clone(), body: Some(body), at: Some(*at), ..blank }
        }
        Entry::Cancelled { at } => JournalRow { kind: "cancelled".into(), at: Some(*at), ..blank },
    }
}

/// The entries of a chain, in order, without a gap, and each as it was recorded.
pub(super) fn decode(workflow: ExecutionId, chain: i32, rows: Vec<JournalRow>) -> Result<VecDeque<Entry>, Corrupted> {
    rows.into_iter()
        .enumerate()
        .map(|(index, row)| {
            let position = row.position;
            if position != index as i32 {
                return Err(Corrupted::new(position, format!("position {index} is missing")));
            }
            if row.at.is_none_or(|at| row.sum != Some(row.checksum(workflow, chain, at))) {
                return Err(Corrupted::new(position, "the row is not the one that was recorded: its checksum differs"));
            }
            decode_row(row).map_err(|reason| Corrupted::new(position, reason))
        })
        .collect()
}

fn encode_call(blank: JournalRow, call: &Call) -> JournalRow {
    let row = |kind: &str, name: Option<&String>| JournalRow { kind: kind.into(), name: name.cloned(), ..blank };
    match call {
        Call::Task { function, hash } => JournalRow { hash: Some(*hash), ..row("task", Some(function)) },
        Call::Workflow { function, hash } => JournalRow { hash: Some(*hash), ..row("workflow", Some(function)) },
        Call::Timer { milliseconds } => JournalRow { body: Some(json(milliseconds)), ..row("timer", None) },
        Call::Receive { name } => row("receive", Some(name)),
        Call::External { secret } => {
            JournalRow { body: Some(json(&ExternalBody { secret: secret.clone() })), ..row("external", None) }
        }
        Call::Cancel { .. } => row("cancel", None),
        Call::Version { change, chosen } => JournalRow { body: Some(json(chosen)), ..row("version", Some(change)) },
    }
}

fn encode_outcome(outcome: &Outcome, completed: &str, failed: &str) -> (String, Json) {
    match outcome {
        Outcome::Completed(value) => {
            (completed.into(), Json::parse(value.clone()).expect("a value is validated where it enters the journal"))
        }
        Outcome::Failed(failure) => (failed.into(), json(failure)),
    }
}

fn decode_row(row: JournalRow) -> Result<Entry, String> {
    let kind = row.kind.as_str();
    let name = || row.name.clone().ok_or_else(|| format!("`{kind}` without a name"));
    let hash = || row.hash.ok_or_else(|| format!("`{kind}` without a hash"));
    let body = || row.body.as_ref().map(Json::as_str).ok_or_else(|| format!("`{kind}` without a body"));
    let at = || row.at.ok_or_else(|| format!("`{kind}` without a time"));
    let operation = || row.operation.ok_or_else(|| format!("`{kind}` without an operation"));
    let completed = || Ok::<_, String>(Outcome::Completed(body()?.to_string()));
    let failed = || Ok::<_, String>(Outcome::Failed(parse::<Failure>(body()?)?));
    let called = |operation: u32, call: Call| Ok::<_, String>(Entry::Called { operation, call, at: row.at });
    match kind {
        "started" => {
            let start: StartBody = parse(body()?)?;
            if start.version != VERSION {
                return Err(format!("form {} of the journal; this worker reads {VERSION}: upgrade it", start.version));
            }
            Ok(Entry::Started { at: at()?, digest: start.digest })
        }
        "task" => called(operation()?, Call::Task { function: name()?, hash: hash()? }),
        "workflow" => called(operation()?, Call::Workflow { function: name()?, hash: hash()? }),
        "timer" => called(operation()?, Call::Timer { milliseconds: parse(body()?)? }),
        "receive" => called(operation()?, Call::Receive { name: name()? }),
        "external" => called(operation()?, Call::External { secret: parse::<ExternalBody>(body()?)?.secret }),
        "cancel" => called(operation()?, Call::Cancel { operation: operation()? }),
        "version" => called(0, Call::Version { change: name()?, chosen: parse(body()?)? }),
        "step" => Ok(Entry::Step { operation: operation()?, name: name()?, outcome: completed()? }),
        "step-failed" => Ok(Entry::Step { operation: operation()?, name: name()?, outcome: failed()? }),
        "completed" => Ok(Entry::Delivered { operation: operation()?, signal: None, outcome: completed()?, at: at()? }),
        "failed" => Ok(Entry::Delivered { operation: operation()?, signal: None, outcome: failed()?, at: at()? }),
        "signal" => Ok(Entry::Delivered { operation: operation()?, signal: Some(name()?), outcome: completed()?, at: at()? }),
        "cancelled" => Ok(Entry::Cancelled { at: at()? }),
        unknown => Err(format!("the kind `{unknown}` is not known")),
    }
}

fn json<T: Serialize>(value: &T) -> Json {
    let text = serde_json::to_string(value).expect("plain data");
    Json::parse(text).expect("serde_json writes valid JSON, and strings of ours hold no U+0000")
}

fn parse<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}
