//! A progress bar, for whoever looks at a terminal. Everybody else sees the result.

use std::time::{Duration, Instant};

use crate::printer::Printer;

/// Drawn anew at most this often.
const REDRAW: Duration = Duration::from_millis(100);
const WIDTH: u64 = 24;

/// How far something is.
#[derive(Debug)]
pub(crate) struct Progress<'a> {
    printer: &'a Printer,
    word: &'static str,
    total: Option<u64>,
    began: Instant,
    drawn: Option<Instant>,
}

impl<'a> Progress<'a> {
    /// Of so many, if that is known.
    pub(crate) fn new(printer: &'a Printer, word: &'static str, total: Option<u64>) -> Progress<'a> {
        Progress { printer, word, total, began: Instant::now(), drawn: None }
    }

    /// So many are done.
    pub(crate) fn at(&mut self, done: u64) {
        if !self.printer.can_redraw() || self.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW) {
            return;
        }
        self.printer.redraw(&line(self.word, done, self.total, self.began.elapsed()));
        self.drawn = Some(Instant::now());
    }

    /// Takes it away.
    pub(crate) fn done(self) {
        if self.drawn.is_some() {
            self.printer.redraw("");
        }
    }
}

fn line(word: &str, done: u64, total: Option<u64>, elapsed: Duration) -> String {
    let rate = done as f64 / elapsed.as_secs_f64().max(0.001);
    match total {
        Some(total) => {
            let filled = (done * WIDTH).checked_div(total).unwrap_or(WIDTH).min(WIDTH);
            let bar: String = (0..WIDTH).map(|place| if place < filled { '#' } else { '-' }).collect();
            let left = (total.saturating_sub(done)) as f64 / rate.max(0.001);
            format!("[{bar}] {done} of {total} {word}, {rate:.0}/s, {left:.0} s left")
        }
        None => format!("{done} {word}, {rate:.0}/s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_and_how_fast() {
        let second = Duration::from_secs(1);
        assert_eq!(
            line("started", 250, Some(1_000), second),
            "[######------------------] 250 of 1000 started, 250/s, 3 s left"
        );
        assert_eq!(
            line("started", 1_000, Some(1_000), second),
            "[########################] 1000 of 1000 started, 1000/s, 0 s left"
        );
        assert_eq!(line("started", 0, Some(0), second), "[########################] 0 of 0 started, 0/s, 0 s left");
        assert_eq!(line("cancelled", 7, None, second), "7 cancelled, 7/s");
    }
}
