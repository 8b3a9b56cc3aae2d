//! The one way out: data to stdout, talk to stderr.

use std::io::{self, ErrorKind, IsTerminal, Write};

use serde::Serialize;

use crate::diagnostics::ExitStatus;

/// Prints. Colour only ever repeats what the words say.
#[derive(Debug)]
pub(crate) struct Printer {
    /// `--json`: data is JSON.
    json: bool,
    /// `--quiet`: no talk.
    quiet: bool,
    colour_data: bool,
    colour_talk: bool,
}

/// What a text means; its colour follows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    Plain,
    Good,
    Bad,
    Busy,
    Dim,
    Strong,
}

impl Printer {
    pub(crate) fn new(json: bool, quiet: bool, no_colour: bool) -> Printer {
        Printer {
            json,
            quiet,
            colour_data: !no_colour && io::stdout().is_terminal(),
            colour_talk: !no_colour && io::stderr().is_terminal(),
        }
    }

    /// Whether data is to be JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints data for people, as given.
    pub(crate) fn data(&self, text: &str) {
        match io::stdout().is_terminal() {
            true => self.hand_over(&harmless(text)),
            false => self.hand_over(text),
        }
    }

    /// Prints data for programs.
    pub(crate) fn json(&self, value: &impl Serialize) {
        let text = serde_json::to_string_pretty(value).expect("what commands print is plain data");
        self.hand_over(&text);
    }

    /// Data that could not be written is no success.
    fn hand_over(&self, text: &str) {
        match write(io::stdout().lock(), text) {
            Ok(()) => {}
            // Nobody reads any more (`currant list | head`): there is nothing left to do, and nothing went wrong.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(ExitStatus::Done as i32),
            Err(error) => {
                self.error(&format!("cannot write to stdout: {error}"));
                std::process::exit(ExitStatus::NoAnswer as i32);
            }
        }
    }

    /// Says something to the person at the terminal.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            talk(text);
        }
    }

    /// Whether a line on stderr may be written over: somebody looks at it.
    pub(crate) fn can_redraw(&self) -> bool {
        !self.quiet && !self.json && io::stderr().is_terminal()
    }

    /// Writes over the line that was drawn last.
    pub(crate) fn redraw(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        // Nothing rests on it.
        let _ = write!(stderr, "\r\u{1b}[2K{text}").and_then(|()| stderr.flush());
    }

    /// Says what to do next.
    pub(crate) fn hint(&self, text: &str) {
        if !self.quiet {
            self.line("hint", Style::Busy, text);
        }
    }

    /// Says what may surprise, and is no error.
    pub(crate) fn warn(&self, text: &str) {
        if !self.quiet {
            self.line("warning", Style::Busy, text);
        }
    }

    /// Says why it did not work.
    pub(crate) fn error(&self, text: &str) {
        self.line("error", Style::Bad, text);
    }

    /// Colours a piece of data.
    pub(crate) fn style(&self, style: Style, text: &str) -> String {
        if self.colour_data { coloured(style, text) } else { text.to_owned() }
    }

    fn line(&self, label: &str, style: Style, text: &str) {
        let label = if self.colour_talk { coloured(style, label) } else { label.to_owned() };
        talk(&format!("{label}: {text}"));
    }
}

/// Log lines, failures and keys are written by strangers, and a terminal obeys what it is shown. Colours, line ends and tabs remain.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '\u{1b}' => colour_at(rest),
            '\n' | '\t' => Some(1),
            _ if next.is_control() => None,
            _ => Some(next.len_utf8()),
        };
        match length {
            Some(length) => shown.push_str(&rest[..length]),
            None => shown.push('\u{fffd}'),
        }
        rest = &rest[length.unwrap_or(next.len_utf8())..];
    }
    shown
}

/// The length of the escape sequence that this text begins with, if it does nothing but choose a colour.
fn colour_at(text: &str) -> Option<usize> {
    let numbers = text.strip_prefix("\u{1b}[")?;
    let end = numbers.find(|letter: char| !letter.is_ascii_digit() && letter != ';')?;
    numbers[end..].starts_with('m').then_some(2 + end + 1)
}

fn coloured(style: Style, text: &str) -> String {
    let code = match style {
        Style::Plain => return text.to_owned(),
        Style::Good => "32",
        Style::Bad => "31;1",
        Style::Busy => "36",
        Style::Dim => "2",
        Style::Strong => "1",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// Who does not listen misses nothing but talk: what the command does, and how it ends, stays the same.
fn talk(text: &str) {
    let _ = write(io::stderr().lock(), &harmless(text));
}

fn write(mut stream: impl Write, text: &str) -> io::Result<()> {
    writeln!(stream, "{}", text.trim_end_matches('\n')).and_then(|()| stream.flush())
}

#[cfg(test)]
mod tests {
    use super::{Style, coloured, harmless};

    #[test]
    fn a_terminal_is_told_nothing_but_colours() {
        let text = format!("{}\tä\n", coloured(Style::Bad, "failed"));
        assert_eq!(harmless(&text), text);
        assert_eq!(
            harmless("\u{1b}]0;title\u{7}\u{1b}[2J\u{1b}[1;1H\rgone\u{9b}2J\u{1b}"),
            "\u{fffd}]0;title\u{fffd}\u{fffd}[2J\u{fffd}[1;1H\u{fffd}gone\u{fffd}2J\u{fffd}"
        );
    }
}
