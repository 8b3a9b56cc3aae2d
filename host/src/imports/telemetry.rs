//! `currant:guest/telemetry`, and the log that stdout and stderr write to as well.
//!
//! Log lines are kept with the execution. Spans and metrics become structured debug lines of the worker's own log, under the target
//! `currant_host::guest`, until an exporter is configured. Everything is silent while a workflow is replayed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tracing::debug;
use wasmtime::component::Resource;

use crate::bindings::currant::guest::telemetry::{self, Attribute, Host, HostSpan};
use crate::guest::{Level, LogSink, Role};
use crate::runtime::limits::{LINE_BYTES, SPAN_BYTES};
use crate::runtime::store::State;

const TARGET: &str = "currant_host::guest";

/// The log of one instance: bounded, and silent during replay.
#[derive(Clone)]
pub(crate) struct Log {
    sink: Arc<dyn LogSink>,
    role: Role,
    limit: usize,
    written: Arc<AtomicUsize>,
}

impl Log {
    pub(crate) fn new(sink: Arc<dyn LogSink>, role: Role, limit: usize) -> Log {
        Log { sink, role, limit, written: Arc::default() }
    }

    /// Whether what is said now was said before, by the run that is being replayed.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(&self.role, Role::Workflow(run) if run.replaying())
    }

    pub(crate) fn line(&self, level: Level, mut message: String, attributes: Vec<(String, String)>) {
        if self.is_silent() {
            return;
        }
        cut(&mut message);
        let size = bytes_of(&message, &attributes);
        let before = self.written.fetch_add(size, Ordering::Relaxed);
        if before + size <= self.limit {
            self.sink.log(level, message, attributes);
        } else if before <= self.limit {
            let limit = self.limit;
            self.sink.log(
                "warn",
                format!("log lines beyond {limit} bytes are dropped (the setting `worker.log_limit`)"),
                Vec::new(),
            );
        }
    }
}

fn bytes_of(message: &str, attributes: &[(String, String)]) -> usize {
    message.len() + attributes.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
}

/// Cuts off what is beyond the length of a line.
fn cut(message: &mut String) {
    if message.len() > LINE_BYTES {
        let end = (0..=LINE_BYTES).rev().find(|index| message.is_char_boundary(*index)).unwrap_or(0);
        let rest = message.len() - end;
        message.truncate(end);
        message.push_str(&format!("… ({rest} bytes cut off)"));
    }
}

/// A stretch of an execution's time.
#[expect(unreachable_pub, reason = "the generated bindings re-export it as `pub`")]
pub struct Span {
    name: String,
    attributes: Vec<Attribute>,
    /// Of the attributes.
    bytes: usize,
    failed: Option<String>,
    began: Instant,
}

impl Span {
    fn set(&mut self, attribute: Attribute) {
        let size = |(name, value): &Attribute| name.len() + value.len();
        if let Some(old) = self.attributes.iter().position(|(name, _)| *name == attribute.0) {
            self.bytes -= size(&self.attributes.swap_remove(old));
        }
        if self.bytes + size(&attribute) <= SPAN_BYTES {
            self.bytes += size(&attribute);
            self.attributes.push(attribute);
        }
    }
}

impl Host for State {
    fn log(&mut self, level: telemetry::Level, message: String, attributes: Vec<Attribute>) -> wasmtime::Result<()> {
        self.output.spend(bytes_of(&message, &attributes))?;
        self.log.line(level_name(level), message, attributes);
        Ok(())
    }

    fn counter(&mut self, name: String, value: f64, attributes: Vec<Attribute>) -> wasmtime::Result<()> {
        self.metric("counter", &name, value, &attributes);
        Ok(())
    }

    fn histogram(&mut self, name: String, value: f64, attributes: Vec<Attribute>) -> wasmtime::Result<()> {
        self.metric("histogram", &name, value, &attributes);
        Ok(())
    }

    fn gauge(&mut self, name: String, value: f64, attributes: Vec<Attribute>) -> wasmtime::Result<()> {
        self.metric("gauge", &name, value, &attributes);
        Ok(())
    }
}

impl HostSpan for State {
    fn new(&mut self, name: String, attributes: Vec<Attribute>) -> wasmtime::Result<Resource<Span>> {
        let mut span = Span { name, attributes: Vec::new(), bytes: 0, failed: None, began: Instant::now() };
        cut(&mut span.name);
        attributes.into_iter().for_each(|attribute| span.set(attribute));
        Ok(self.table.push(span)?)
    }

    fn set(&mut self, span: Resource<Span>, attribute: Attribute) -> wasmtime::Result<()> {
        self.table.get_mut(&span)?.set(attribute);
        Ok(())
    }

    fn fail(&mut self, span: Resource<Span>, mut message: String) -> wasmtime::Result<()> {
        cut(&mut message);
        self.table.get_mut(&span)?.failed = Some(message);
        Ok(())
    }

    fn drop(&mut self, span: Resource<Span>) -> wasmtime::Result<()> {
        let span = self.table.delete(span)?;
        if !self.log.is_silent() {
            let duration_ms = span.began.elapsed().as_secs_f64() * 1e3;
            debug!(
                target: TARGET,
                { execution.id = %self.facts.id, trace.id = %self.facts.trace_id, span.name = %span.name, duration_ms,
                  attributes = ?span.attributes, failed = span.failed },
                "span"
            );
        }
        Ok(())
    }
}

impl State {
    fn metric(&self, kind: &str, name: &str, value: f64, attributes: &[Attribute]) {
        if !self.log.is_silent() {
            debug!(
                target: TARGET,
                { execution.id = %self.facts.id, metric.kind = kind, metric.name = name, value, attributes = ?attributes },
                "metric"
            );
        }
    }
}

fn level_name(level: telemetry::Level) -> Level {
    match level {
        telemetry::Level::Trace => "trace",
        telemetry::Level::Debug => "debug",
        telemetry::Level::Info => "info",
        telemetry::Level::Warn => "warn",
        telemetry::Level::Error => "error",
    }
}
