//! `wasi:cli/stdout` and `stderr`: log lines of the execution, at `info` and `warn`.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use hyper::body::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use super::telemetry::Log;
use crate::guest::Level;
use crate::limit::{Limit, LimitExceeded};
use crate::runtime::limits::{LINE_BYTES, STDERR_TAIL_BYTES};

/// Bytes that a guest may write at once. Enough for a line, and little to hold.
const CHUNK: usize = 64 << 10;

/// Where one instance's stdout or stderr goes. Clones share the line that is being written.
#[derive(Clone)]
pub(crate) struct Stdio {
    lines: Arc<Mutex<Lines>>,
    budget: Budget,
}

/// What an execution may say: stdout, stderr and log lines together.
#[derive(Clone)]
pub(crate) struct Budget {
    limit: u64,
    written: Arc<AtomicU64>,
}

struct Lines {
    level: Level,
    log: Log,
    /// The line that has no end yet, up to the bound of a line.
    line: Vec<u8>,
    /// Its bytes beyond that.
    beyond: usize,
    /// What was written last, for the message of a trap.
    tail: Vec<u8>,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Budget {
        Budget { limit, written: Arc::default() }
    }

    pub(crate) fn spend(&self, bytes: usize) -> Result<(), LimitExceeded> {
        let written = self.written.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if written > self.limit {
            let what = format!("more than {} bytes written to stdout, stderr and the log", self.limit);
            return Err(LimitExceeded::new(Limit::Output, what));
        }
        Ok(())
    }
}

impl Stdio {
    pub(crate) fn new(level: Level, log: Log, budget: Budget) -> Stdio {
        let lines = Lines { level, log, line: Vec::new(), beyond: 0, tail: Vec::new() };
        Stdio { lines: Arc::new(Mutex::new(lines)), budget }
    }

    /// Logs what was written since the last end of a line.
    pub(crate) fn finish(&self) {
        let mut lines = self.lines();
        if !lines.line.is_empty() {
            lines.end_line();
        }
    }

    /// What was written last.
    pub(crate) fn tail(&self) -> String {
        String::from_utf8_lossy(&self.lines().tail).into_owned()
    }

    fn write(&self, bytes: &[u8]) -> Result<(), LimitExceeded> {
        self.budget.spend(bytes.len())?;
        self.lines().write(bytes);
        Ok(())
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().expect("no panic while held")
    }
}

impl Lines {
    fn write(&mut self, bytes: &[u8]) {
        self.remember(bytes);
        // What the replayed run said is known; its lines would also be cut where this run goes live.
        if self.log.is_silent() {
            return;
        }
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        if let Some(first) = pieces.next() {
            self.append(first);
        }
        for piece in pieces {
            self.end_line();
            self.append(piece);
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(LINE_BYTES - self.line.len());
        self.line.extend_from_slice(&bytes[..kept]);
        self.beyond += bytes.len() - kept;
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let mut message = String::from_utf8_lossy(&line).trim_end_matches('\r').to_string();
        match std::mem::take(&mut self.beyond) {
            0 => {}
            beyond => message.push_str(&format!("… ({beyond} bytes cut off)")),
        }
        self.log.line(self.level, message, Vec::new());
    }

    fn remember(&mut self, bytes: &[u8]) {
        let new = &bytes[bytes.len().saturating_sub(STDERR_TAIL_BYTES)..];
        let surplus = (self.tail.len() + new.len()).saturating_sub(STDERR_TAIL_BYTES);
        self.tail.drain(..surplus.min(self.tail.len()));
        self.tail.extend_from_slice(new);
    }
}

impl IsTerminal for Stdio {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stdio {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Stdio {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for Stdio {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        Stdio::write(self, &bytes).map_err(|exceeded| StreamError::Trap(exceeded.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(CHUNK)
    }
}

impl AsyncWrite for Stdio {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let bytes = &bytes[..bytes.len().min(CHUNK)];
        Poll::Ready(Stdio::write(&self, bytes).map(|()| bytes.len()).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
