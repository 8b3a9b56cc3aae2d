//! JSON that is given on the command line: as text, as `@file`, or as `-` for stdin.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use currant_core::values::Json;

use crate::diagnostics::{Problem, Result, causes};

/// Reads the value of an option such as `--input`. The text is kept as it is: the function gets the same bytes.
pub(crate) fn read(option: &str, given: &str) -> Result<Json> {
    let (place, text) = match given.strip_prefix('@') {
        _ if given == "-" => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map_err(|error| Problem::usage(format!("cannot read stdin for {option}: {}", causes(&error))))?;
            ("stdin".to_owned(), text)
        }
        Some(path) => {
            let read = std::fs::read_to_string(path);
            (
                path.to_owned(),
                read.map_err(|error| Problem::usage(format!("cannot read {path} for {option}: {}", causes(&error))))?,
            )
        }
        None => (option.to_owned(), given.to_owned()),
    };
    let text = text.trim();
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        return Err(not_json(&place, text, &error));
    }
    Json::parse(text.to_owned()).map_err(|error| Problem::usage(format!("{place} cannot be stored: {error}")))
}

/// The lines of a file, each the JSON of a value.
pub(crate) struct Lines {
    source: Box<dyn BufRead + Send>,
    name: String,
    number: u64,
}

impl Lines {
    /// Of a file, or of stdin (`-`).
    pub(crate) fn open(name: &str) -> Result<Lines> {
        let source: Box<dyn BufRead + Send> = match name {
            "-" => Box::new(BufReader::new(std::io::stdin())),
            path => {
                let file =
                    File::open(path).map_err(|error| Problem::usage(format!("cannot read {path}: {}", causes(&error))))?;
                Box::new(BufReader::with_capacity(1 << 16, file))
            }
        };
        Ok(Lines { source, name: if name == "-" { "stdin".into() } else { name.into() }, number: 0 })
    }

    /// The next value; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Json>> {
        let mut line = String::new();
        let read = self.source.read_line(&mut line);
        let length = read.map_err(|error| Problem::usage(format!("cannot read {}: {}", self.name, causes(&error))))?;
        if length == 0 {
            return Ok(None);
        }
        self.number += 1;
        let text = line.trim();
        let place = format!("line {} of {}", self.number, self.name);
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
            return Err(not_json(&place, text, &error));
        }
        let value = Json::parse(text.to_owned());
        Ok(Some(value.map_err(|error| Problem::usage(format!("{place} cannot be stored: {error}")))?))
    }

    /// How many were read.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

/// Shows the place: the line, and a mark below it.
fn not_json(place: &str, text: &str, error: &serde_json::Error) -> Problem {
    if text.is_empty() {
        return Problem::usage(format!("{place} is empty, and that is not JSON")).hint("for no input write null");
    }
    let (line, column) = (error.line(), error.column().max(1));
    let reason = error.to_string();
    let reason = reason.split(" at line").next().unwrap_or_default();
    let shown = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    // The parser counts bytes, people count characters; and a window keeps long lines readable.
    let at = shown.char_indices().take_while(|(byte, _)| byte + 1 < column).count();
    let from = at.saturating_sub(40);
    let window: String = shown.chars().skip(from).take(80).collect();
    let mark = " ".repeat(at - from);
    let problem =
        Problem::usage(format!("{place} is not JSON: {reason} at line {line}, column {column}\n    {window}\n    {mark}^"));
    match text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '\'') {
        true => problem.hint("a text needs its own quotes, within those of the shell: '\"text\"'"),
        false => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        format!("{:?}", read("--input", text).unwrap_err())
    }

    #[test]
    fn a_value_is_kept_byte_for_byte() {
        assert_eq!(
            read("--input", " {\"b\": 1.0, \"a\": 12345678901234567890}\n").unwrap().as_str(),
            "{\"b\": 1.0, \"a\": 12345678901234567890}"
        );
    }

    #[test]
    fn the_place_of_a_mistake_is_shown() {
        assert!(
            message("{\"a\": ä}").contains("at line 1, column 7\\n    {\\\"a\\\": ä}\\n          ^"),
            "{}",
            message("{\"a\": ä}")
        );
        assert!(message("{\n  \"a\": 1,\n}").contains("at line 3, column 1"), "{}", message("{\n  \"a\": 1,\n}"));
        assert!(message("").contains("is empty"));
    }

    #[test]
    fn a_long_line_is_shown_around_the_mistake() {
        let text = format!("[{}x]", "1,".repeat(500));
        let shown = message(&text);
        assert!(shown.len() < 400, "{shown}");
    }
}
