//! `docs/cli.md` says what `--help` says.

use std::path::Path;

use crate::{output, program};

const COMMANDS: [&str; 15] = [
    "deploy",
    "start",
    "status",
    "list",
    "history",
    "logs",
    "signal",
    "cancel",
    "retry",
    "cleanup",
    "modules",
    "functions",
    "queues",
    "schedules",
    "doctor",
];

/// `CURRANT_UPDATE_DOCS=1` rewrites the page.
#[test]
fn the_page_is_the_help() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- help: begin, generated from `currant --help` -->\n", "<!-- help: end -->");
    let (before, rest) = page.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let mut sections = String::new();
    for command in COMMANDS {
        sections.push_str(&format!("\n### {command}\n\n```text\n{}\n```\n", help(&[command, "--help"])));
    }
    let expected = format!("{before}{begin}\n```text\n{}\n```\n{sections}\n{end}{after}", help(&["--help"]));
    if std::env::var_os("CURRANT_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected, "docs/cli.md is not what the program says");
}

#[test]
fn every_command_shows_an_example() {
    for command in COMMANDS {
        let help = help(&[command, "--help"]);
        assert!(help.contains(&format!("currant {command}")) && help.contains("Example"), "{help}");
    }
}

fn help(arguments: &[&str]) -> String {
    let mut command = program(Path::new("/"));
    command.args(arguments);
    let text = String::from_utf8(output(command, "").stdout).unwrap();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned()
}
