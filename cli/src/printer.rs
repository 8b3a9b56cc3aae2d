//! The one way out: data to stdout, talk to stderr.

use std::io::{self, ErrorKind, IsTerminal, Write};

use serde::Serialize;

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
        write(io::stdout().lock(), text);
    }

    /// Prints data for programs.
    pub(crate) fn json(&self, value: &impl Serialize) {
        let text = serde_json::to_string_pretty(value).expect("what commands print is plain data");
        write(io::stdout().lock(), &text);
    }

    /// Says something to the person at the terminal.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            write(io::stderr().lock(), text);
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
        write(io::stderr().lock(), &format!("{label}: {text}"));
    }
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

/// Nobody reads any more (`currant list | head`): there is nothing left to do, and nothing went wrong.
fn write(mut stream: impl Write, text: &str) {
    match writeln!(stream, "{}", text.trim_end_matches('\n')).and_then(|()| stream.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        _ => {}
    }
}
