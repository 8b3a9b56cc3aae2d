//! What can be checked of the code's shape without being gamed.

#![allow(clippy::unwrap_used, reason = "a test that cannot read what it checks fails")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// All files below a folder whose name ends so.
fn files(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            found.extend(files(&path, suffix));
        } else if path.to_string_lossy().ends_with(suffix) {
            found.push(path);
        }
    }
    found
}

#[test]
fn floors_depend_downwards_only() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let forbidden = [
        ("currant-core", &["wasmtime", "wasmtime-wasi", "clap", "currant-host", "currant-cli"][..]),
        ("currant-cli", &["wasmtime", "wasmtime-wasi", "currant-host"]),
        ("currant-host", &["currant-cli"]),
        ("currant", &["currant-core", "currant-host", "sqlx", "tokio"]),
    ];
    let mut checked = 0;
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let dependencies: Vec<_> = package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|d| d["kind"].is_null())
            .map(|d| d["name"].as_str().unwrap())
            .collect();
        for (floor, not) in forbidden {
            if floor == name {
                checked += 1;
                let wrong: Vec<_> = not.iter().filter(|other| dependencies.contains(other)).collect();
                assert!(wrong.is_empty(), "{floor} must not depend on {wrong:?}");
            }
        }
        assert!(!dependencies.contains(&"currant-tests"), "nothing depends on the tests, but {name} does");
    }
    assert_eq!(checked, forbidden.len());
}

#[test]
fn the_replay_engine_does_no_io() {
    let journal = root().join("host/src/journal");
    let mut sources = files(&journal, ".rs");
    sources.push(root().join("host/src/journal.rs"));
    assert!(sources.len() > 5);
    for source in sources {
        let text = std::fs::read_to_string(&source).unwrap();
        for forbidden in
            ["sqlx", "tokio", "wasmtime", "std::fs", "std::net", "std::time::Instant", "SystemTime", "Utc::now", "rand::"]
        {
            assert!(!text.contains(forbidden), "{} uses {forbidden}", source.display());
        }
    }
}

#[test]
fn statements_stand_in_files_of_their_own() {
    for folder in ["core/src", "host/src", "cli/src"] {
        for source in files(&root().join(folder), ".rs") {
            let text = std::fs::read_to_string(&source).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for (number, line) in code.lines().enumerate() {
                let start = line.trim_start().trim_start_matches(|c: char| c != '"').trim_start_matches('"').to_lowercase();
                let statement =
                    ["select ", "insert into ", "update currant", "delete from "].iter().any(|verb| start.starts_with(verb));
                assert!(
                    !statement,
                    "{}:{}: a statement inside code; it belongs into core/queries/",
                    source.display(),
                    number + 1
                );
            }
        }
    }
}

#[test]
fn every_item_of_the_contract_is_documented() {
    for source in files(&root().join("wit"), ".wit") {
        let text = std::fs::read_to_string(&source).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let item = line.trim_start();
            let declares = ["interface ", "world ", "record ", "variant ", "enum ", "type ", "resource "]
                .iter()
                .any(|word| item.starts_with(word))
                || item.contains(": func(");
            if !declares || item.starts_with("//") {
                continue;
            }
            let above = lines[..index]
                .iter()
                .rev()
                .map(|line| line.trim_start())
                .find(|line| !line.starts_with('@'))
                .unwrap_or_default();
            assert!(above.starts_with("///"), "{}:{}: `{item}` is not documented", source.display(), index + 1);
        }
    }
}

#[test]
fn unsafe_code_stands_in_one_place() {
    for folder in ["core/src", "host/src", "cli/src", "guest-sdk-rust/src", "guest-sdk-rust/macros/src"] {
        for source in files(&root().join(folder), ".rs") {
            let generated = source.ends_with("guest-sdk-rust/src/bindings.rs");
            let argued = source.ends_with("host/src/runtime/modules/disk.rs");
            let text = std::fs::read_to_string(&source).unwrap();
            let uses = text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains("unsafe {"));
            assert!(!uses || generated || argued, "{} has unsafe code", source.display());
        }
    }
}
