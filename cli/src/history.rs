//! A workflow's journal, told to people: what it did, what came back, when, in which run, and by which worker.
//!
//! One line per entry. The middle column is the operation's number, so that a line that says what came back (`←`) finds the line that started
//! it (`→`); both name it, so that each can be read alone.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use currant_core::client::{self, Attempt, HistoryEntry};
use currant_core::durations;
use currant_core::executions::{Execution, Failure, Status};
use currant_core::ids::WorkerId;
use currant_core::values::Json;
use currant_core::workers::Worker;

use crate::commands::status::style_of;
use crate::printer::{Printer, Style};
use crate::times;

/// As much of a value as a line shows.
const SHOWN: usize = 72;

/// Lines before and after the position that is asked for.
const AROUND: u32 = 5;

/// What there is to tell.
#[derive(Debug)]
pub(crate) struct History<'a> {
    pub(crate) execution: &'a Execution,
    pub(crate) recorded: &'a client::History,
    /// The workers that are known now.
    pub(crate) workers: &'a [Worker],
    /// Whether values are shown whole.
    pub(crate) full: bool,
    /// Only this journal; with a position and nothing said the last one.
    pub(crate) chain: Option<i32>,
    /// Only what is at this position, and near it.
    pub(crate) around: Option<i32>,
}

/// One line of the table.
struct Line {
    at: Option<DateTime<Utc>>,
    run: Option<i32>,
    worker: Option<WorkerId>,
    /// In which journal, and where.
    place: Option<(i32, i32)>,
    operation: Option<u32>,
    sign: &'static str,
    style: Style,
    what: String,
    value: String,
}

impl History<'_> {
    /// The whole story.
    pub(crate) fn told(&self, printer: &Printer) -> String {
        let mut text = vec![self.heading(printer), String::new()];
        let all = self.lines();
        let began = all.iter().find_map(|line| line.at).unwrap_or(self.execution.created_at);
        let told_of_any = !all.is_empty();
        let lines: Vec<Line> = all.into_iter().filter(|line| self.wants(line)).collect();
        if lines.is_empty() {
            let nothing = if told_of_any { "nothing is on record there" } else { "nothing has happened yet" };
            text.push(nothing.to_owned());
            return text.join("\n");
        }
        let workers = self.workers_of(&lines);
        let label = |worker: Option<WorkerId>| {
            let number = worker.and_then(|worker| workers.iter().position(|known| *known == worker));
            number.map(|number| format!("w{}", number + 1))
        };
        let width = lines.iter().map(|line| line.what.chars().count()).max().unwrap_or(0);
        text.push(printer.style(Style::Dim, &format!("{:>10}  {:>3}  {:>3}  {:>4}  {:>3}", "TIME", "BY", "RUN", "POS", "OP")));
        let mut shown = String::new();
        for line in &lines {
            let time = line.at.map(|at| times::offset(began, at)).unwrap_or_default();
            // A time that is the same as above says nothing; what changes stands out.
            let repeated = time == shown;
            let number = |number: Option<String>| number.unwrap_or_default();
            text.push(
                format!(
                    "{}  {:>3}  {:>3}  {:>4}  {:>3}  {} {}  {}",
                    printer.style(Style::Dim, &format!("{:>10}", if repeated { "" } else { &time })),
                    number(label(line.worker)),
                    number(line.run.map(|run| run.to_string())),
                    number(line.place.map(|(_, position)| position.to_string())),
                    number(line.operation.map(|operation| operation.to_string())),
                    printer.style(line.style, line.sign),
                    printer.style(line.style, &format!("{:<width$}", line.what)),
                    printer.style(Style::Dim, &line.value),
                )
                .trim_end()
                .to_owned(),
            );
            if !time.is_empty() {
                shown = time;
            }
        }
        if !workers.is_empty() {
            text.push(String::new());
        }
        for (number, worker) in workers.iter().enumerate() {
            let known = self.workers.iter().find(|known| known.id == *worker);
            let place = known.map_or("gone".to_owned(), |known| format!("{}, pid {}", known.host, known.pid));
            let label = format!("w{}", number + 1);
            text.push(printer.style(Style::Dim, &format!("{label:>15}  worker {worker}, {place}")));
        }
        text.join("\n")
    }

    /// Whether a line is among those that are asked for.
    fn wants(&self, line: &Line) -> bool {
        let last = self.recorded.entries.last().map(|entry| entry.chain);
        let chain = self.chain.or_else(|| self.around.and(last));
        match line.place {
            Some((of, position)) => {
                chain.is_none_or(|chain| chain == of) && self.around.is_none_or(|around| position.abs_diff(around) <= AROUND)
            }
            // Attempts and the end belong to the whole.
            None => chain.is_none(),
        }
    }

    /// Who wrote these lines, in the order of their first one.
    fn workers_of(&self, lines: &[Line]) -> Vec<WorkerId> {
        let mut workers = Vec::new();
        for worker in lines.iter().filter_map(|line| line.worker) {
            if !workers.contains(&worker) {
                workers.push(worker);
            }
        }
        workers
    }

    fn heading(&self, printer: &Printer) -> String {
        let execution = self.execution;
        let id = execution.id.to_string();
        let name = if execution.task_id == id { String::new() } else { format!(" {}", execution.task_id) };
        let status =
            execution.status.map(|status| (status.to_string(), style_of(status))).unwrap_or(("changing".into(), Style::Plain));
        let mut facts = vec![format!("asked for at {}", times::instant(execution.created_at))];
        if let Some(module) = &execution.module {
            facts.push(format!("module sha256:{}", &module[..module.len().min(12)]));
        }
        if let Some(ended) = execution.ended_at {
            facts.push(format!("took {}", times::length(ended - execution.created_at)));
        }
        format!(
            "{}{}  {}\n{}\n{}",
            printer.style(Style::Strong, &execution.function),
            printer.style(Style::Strong, &name),
            printer.style(status.1, &status.0),
            printer.style(Style::Dim, &id),
            printer.style(Style::Dim, &facts.join(", ")),
        )
    }

    fn lines(&self) -> Vec<Line> {
        let mut names: HashMap<(i32, u32), String> = HashMap::new();
        let chains = self.recorded.entries.last().map(|entry| entry.chain).unwrap_or(1);
        let mut lines = Vec::new();
        let mut attempts = self.recorded.attempts.iter().peekable();
        for entry in &self.recorded.entries {
            // An attempt that ended is told where the next run goes on.
            while let Some(attempt) = attempts.next_if(|attempt| attempt.run < entry.run) {
                lines.push(self.attempt_line(attempt));
            }
            let line = self.entry_line(entry, &mut names, chains);
            lines.push(line);
        }
        lines.extend(attempts.map(|attempt| self.attempt_line(attempt)));
        lines.extend(self.end_line());
        lines
    }

    fn entry_line(&self, written: &HistoryEntry, names: &mut HashMap<(i32, u32), String>, chains: i32) -> Line {
        let HistoryEntry { chain, run, worker_id, entry } = written;
        let name = entry.name.as_deref().unwrap_or_default();
        let body = entry.body.as_ref().map(Json::as_str).unwrap_or_default();
        let operation = entry.operation.unwrap_or_default();
        let mut started = |what: String| {
            names.insert((*chain, operation), what.clone());
            ("→", Style::Plain, what, String::new())
        };
        let (sign, style, what, value) = match entry.kind.as_str() {
            "started" if chains > 1 => ("•", Style::Strong, format!("chain {chain} of {chains} begins"), String::new()),
            "started" => ("•", Style::Plain, "begins".to_owned(), String::new()),
            "task" => started(format!("task {name}")),
            "workflow" => started(format!("workflow {name}")),
            "timer" => {
                started(format!("timer {}", body.parse().map(Duration::from_millis).map(durations::format).unwrap_or_default()))
            }
            "receive" => started(format!("signal {name}")),
            "external" => started("external operation".to_owned()),
            kind => {
                let of = names.get(&(*chain, operation)).cloned().unwrap_or_else(|| format!("operation {operation}"));
                match kind {
                    "step" => ("✓", Style::Good, format!("step {name}"), self.value(body)),
                    "step-failed" => ("✗", Style::Bad, format!("step {name}"), self.failure(body)),
                    "completed" | "signal" => ("←", Style::Good, of, self.value(body)),
                    "failed" => ("✗", Style::Bad, of, self.failure(body)),
                    "cancel" => ("×", Style::Plain, format!("gives up {of}"), String::new()),
                    "cancelled" => ("!", Style::Bad, "its cancellation is requested".to_owned(), String::new()),
                    "version" => ("=", Style::Plain, format!("version {name}"), self.value(body)),
                    // Written by a newer release: shown as it is.
                    other => ("?", Style::Plain, format!("{other} {name}"), self.value(body)),
                }
            }
        };
        Line {
            at: entry.at,
            run: Some(*run),
            worker: *worker_id,
            place: Some((*chain, entry.position)),
            operation: entry.operation,
            sign,
            style,
            what,
            value,
        }
    }

    fn attempt_line(&self, attempt: &Attempt) -> Line {
        Line {
            at: Some(attempt.ended_at),
            run: Some(attempt.run),
            worker: attempt.worker_id,
            place: None,
            operation: None,
            sign: "✗",
            style: Style::Bad,
            what: format!("attempt {}", attempt.attempt),
            value: self.failure(attempt.failure.as_str()),
        }
    }

    fn end_line(&self) -> Option<Line> {
        let execution = self.execution;
        let (status, at) = (execution.status?, execution.ended_at?);
        let sign = if status == Status::Completed { "✓" } else { "✗" };
        let value = match (&execution.result, &execution.failure) {
            (Some(result), _) => self.value(result.as_str()),
            (_, Some(failure)) => self.failure(failure.as_str()),
            _ => String::new(),
        };
        let what = status.to_string();
        Some(Line {
            at: Some(at),
            run: None,
            worker: execution.worker_id,
            place: None,
            operation: None,
            sign,
            style: style_of(status),
            what,
            value,
        })
    }

    fn value(&self, text: &str) -> String {
        match text.char_indices().nth(SHOWN) {
            // What a timer delivers, and what a signal without a payload carries: it says nothing.
            _ if text == "null" => String::new(),
            Some((end, _)) if !self.full => format!("{}…", &text[..end]),
            _ => text.to_owned(),
        }
    }

    fn failure(&self, text: &str) -> String {
        match serde_json::from_str::<Failure>(text) {
            Ok(failure) => self.value(&format!("{}: {}", failure.code, failure.message.replace('\n', " "))),
            Err(_) => self.value(text),
        }
    }
}
