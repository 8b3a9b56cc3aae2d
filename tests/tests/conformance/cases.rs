//! The table: `tests/conformance/*.toml`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::guests::PerLanguage;

/// Something that a user of an SDK can do: a line of docs/sdk-parity.md.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Feature {
    /// What it is called.
    pub(crate) name: String,
    /// How it is written.
    pub(crate) rust: String,
    pub(crate) python: String,
    pub(crate) javascript: String,
    /// Examples that show it, in every language that they are written in.
    #[serde(default)]
    pub(crate) examples: Vec<String>,
    /// By what it is found in the examples, where it is written in another way than above.
    #[serde(default)]
    pub(crate) marks: PerLanguage<Option<String>>,
    /// What has to come of it.
    #[serde(rename = "case")]
    pub(crate) cases: Vec<Case>,
}

/// One execution, what happens to it, and what comes of it. All values are JSON texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// A sentence.
    pub(crate) name: String,
    /// The behaviour, and what it is given; `null` unless said.
    pub(crate) function: String,
    pub(crate) input: Option<String>,
    /// What happens to it meanwhile.
    #[serde(default)]
    pub(crate) then: Vec<Event>,
    /// How it ends: `completed` if a result is said, else `failed`, unless said.
    pub(crate) status: Option<String>,
    /// Its result: equal as JSON, or byte for byte; that it has these members; or that it is a number between these two.
    pub(crate) result: Option<String>,
    #[serde(default)]
    pub(crate) every_byte: bool,
    pub(crate) result_has: Option<String>,
    pub(crate) result_between: Option<[u64; 2]>,
    /// Its failure.
    pub(crate) failure: Option<Failure>,
    /// The entries of its journal: kind and name, and of what is delivered or given up the operation's number. Those in a list of their own come in
    /// any order. A task has none.
    #[serde(default)]
    pub(crate) journal: Vec<Entries>,
    /// The codes of the attempts that failed before the last one.
    pub(crate) attempts: Option<Vec<String>>,
    /// Its children, by function and status, in the order of the alphabet.
    pub(crate) children: Option<Vec<String>>,
    /// What its only child's request says, among other things.
    pub(crate) child: Option<String>,
    /// Its last progress.
    pub(crate) progress: Option<String>,
    /// Its log: levels and messages.
    pub(crate) logs: Option<Vec<String>>,
    /// How long it takes at least.
    pub(crate) takes_ms: Option<u64>,
    /// In the middle of it, when its worker is killed, its journal has so many entries. Without, it has no middle in which it waits.
    pub(crate) killed_after: Option<usize>,
    /// The same for a task: it runs when its worker is killed.
    #[serde(default)]
    pub(crate) killed_while_running: bool,
    /// It says something only if its worker is killed.
    #[serde(default)]
    pub(crate) only_killed: bool,
    /// An environment variable that is granted to the module after its worker was killed.
    pub(crate) granted_after_kill: Option<String>,
}

/// Something that happens to an execution from outside.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Event {
    /// When it waits, with at least so many entries in its journal.
    pub(crate) after: Option<usize>,
    /// When it is `running`, or has `progress`.
    pub(crate) when: Option<When>,
    /// What: a signal and its payload, …
    pub(crate) signal: Option<String>,
    pub(crate) payload: Option<String>,
    /// … its cancellation, …
    #[serde(default)]
    pub(crate) cancel: bool,
    /// … a result or a failure for what holds the token that it published.
    pub(crate) complete: Option<String>,
    pub(crate) fail: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum When {
    Running,
    Progress,
}

/// One entry, or several that come in any order.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Entries {
    One(String),
    AnyOrder(Vec<String>),
}

/// What is said of a failure.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    /// All of its message, or a part.
    pub(crate) message: Option<String>,
    pub(crate) says: Option<String>,
    pub(crate) details: Option<String>,
}

/// A code; that of an error of the language is the name of its class.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Code {
    Same(String),
    Own(PerLanguage<String>),
}

impl Case {
    /// Whether its worker can be killed in the middle of it.
    pub(crate) fn has_a_middle(&self) -> bool {
        self.killed_after.is_some() || self.killed_while_running
    }
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The whole table.
pub(crate) fn read() -> Result<Vec<Feature>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Table {
        feature: Vec<Feature>,
    }
    let mut features = Vec::new();
    for name in ["tasks", "calls", "waiting", "recorded", "lifecycle"] {
        let path = root().join(format!("tests/conformance/{name}.toml"));
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let table: Table = toml::from_str(&text).with_context(|| path.display().to_string())?;
        features.extend(table.feature);
    }
    Ok(features)
}
