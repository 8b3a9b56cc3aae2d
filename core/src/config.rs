//! Configuration: one struct, and where its values come from.
//!
//! ```text
//! flag  >  environment, then .env  >  currant.toml  >  .currant/dev.json (the database's URL only)  >  default
//! ```
//!
//! The file is `./currant.toml`, else `${XDG_CONFIG_HOME:-~/.config}/currant/config.toml`; the first that exists is the only one that is read.
//! A key that does not exist is an error, because a misspelt setting that is silently ignored is found in production.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use etcetera::BaseStrategy;

use crate::durations;
use crate::env::{self, Environment};
use crate::ids::QueueName;
use crate::queues::{self, QueueSettings};

/// Where `currant dev` says how to reach its database, below the folder in which it runs.
pub const DEV_FILE: &str = ".currant/dev.json";

/// One setting, as the reference page shows it.
#[derive(Debug)]
pub struct Setting {
    /// `section.name`, as in the file.
    pub key: &'static str,
    /// The environment variable that sets it too.
    pub env: &'static str,
    /// As one would write it; empty if there is none.
    pub default: &'static str,
    /// The lines of its documentation.
    pub documentation: &'static [&'static str],
}

/// Declares the sections with their settings once: the structs, their documentation, defaults and environment variables.
macro_rules! settings {
    ($(
        $(#[doc = $about:literal])*
        $section:ident: $Section:ident {
            $( $(#[doc = $documentation:literal])* $name:ident: $type:ty = $default:literal, $env:expr; )*
        }
    )*) => {
        /// What can be configured.
        #[derive(Clone, Debug)]
        pub struct Config {
            $( $(#[doc = $about])* pub $section: $Section, )*
            /// What the file says of queues, `[queues.NAME]`. It holds once a worker has started.
            pub queues: BTreeMap<QueueName, QueueSettings>,
            given: BTreeMap<&'static str, Given>,
        }

        $(
            $(#[doc = $about])*
            #[derive(Clone, Debug, PartialEq)]
            pub struct $Section {
                $( $(#[doc = $documentation])* pub $name: $type, )*
            }
        )*

        /// Every setting, in the order of the reference page.
        pub const SETTINGS: &[Setting] = &[
            $( $( Setting {
                key: concat!(stringify!($section), ".", stringify!($name)),
                env: $env,
                default: $default,
                documentation: &[$($documentation),*],
            }, )* )*
        ];

        impl Config {
            fn from_given(
                given: BTreeMap<&'static str, Given>,
                queues: BTreeMap<QueueName, QueueSettings>,
            ) -> Result<Config, Error> {
                let config = Config {
                    $( $section: $Section {
                        $( $name: read(&given, concat!(stringify!($section), ".", stringify!($name)), $default)?, )*
                    }, )*
                    queues,
                    given,
                };
                config.within_bounds()
            }
        }
    };
}

settings! {
    /// Where the state is.
    database: Database {
        /// The connection URL of the Postgres database: `postgres://user:password@host:5432/name`.
        /// The variable `DATABASE_URL` is read too, after `CURRANT_DATABASE_URL`.
        url: Option<String> = "", env::DATABASE_URL;
    }
    /// A worker process.
    worker: Worker {
        /// How many executions it runs at once. A workflow that waits holds no slot.
        slots: u32 = "64", env::WORKER_SLOTS;
        /// The queues that it serves, separated by commas in the variable; none named means all of them.
        queues: Vec<String> = "", env::WORKER_QUEUES;
        /// How long what it claimed stays its own when it is not heard of any more. Others then take over. At least `1s`.
        lease: Duration = "15s", env::WORKER_LEASE;
        /// How often it looks for work when no notification arrives. Notifications are hints; this is what work can rely on.
        poll_interval: Duration = "5s", env::WORKER_POLL_INTERVAL;
        /// How long it waits, once it was asked to stop, for what it runs. What is left then is returned to its queue.
        shutdown_grace: Duration = "10s", env::WORKER_SHUTDOWN_GRACE;
        /// How long a cancelled task may take to stop by itself. Then it is ended, also if its code never yields.
        cancel_grace: Duration = "10s", env::WORKER_CANCEL_GRACE;
        /// How long a cancelled workflow may take to undo what it did. Then it is ended, wherever it stands: long enough for tasks that are
        /// tried again. Cancelling it a second time ends it sooner.
        compensation_grace: Duration = "1h", env::WORKER_COMPENSATION_GRACE;
        /// How much memory one execution may use. Python starts at 20 MB, JavaScript at 15, Rust at 1. More ends it with the code `out-of-memory`.
        memory_limit: Size = "256MiB", env::WORKER_MEMORY_LIMIT;
        /// How long an attempt of a task may take that has no timeout of its own, and how long a workflow may hold a slot without waiting.
        /// So nothing that hangs holds its slot for ever. More ends it with the code `timed-out`.
        time_limit: Duration = "1d", env::WORKER_TIME_LIMIT;
        /// How long an attempt of a task, or a step, may compute; waiting does not count. More is a loop without an end, and ends it
        /// with the code `cpu-limit`.
        cpu_limit: Duration = "1h", env::WORKER_CPU_LIMIT;
        /// How long a workflow may compute without waiting. It only coordinates: long work belongs into a task. More ends it with the
        /// code `cpu-limit`.
        workflow_cpu_limit: Duration = "1m", env::WORKER_WORKFLOW_CPU_LIMIT;
        /// How many bytes an attempt may write to stdout, stderr and the log, kept or not. More is a loop, and no log; it ends it with the
        /// code `output-limit`.
        output_limit: Size = "32MiB", env::WORKER_OUTPUT_LIMIT;
        /// How many bytes of log lines are kept of one attempt. What follows is dropped, and a last line says so: a talkative execution is
        /// not a wrong one.
        log_limit: Size = "1MiB", env::WORKER_LOG_LIMIT;
        /// How many operations (tasks, timers, signals, steps) a workflow may start before it continues as new: each of them is read again
        /// at every replay. At 80 % it is warned, more ends it with the code `operations-limit`.
        operations_limit: u32 = "20000", env::WORKER_OPERATIONS_LIMIT;
        /// How many entries its journal may have. An operation takes two, or one if it is a step. At 80 % it is warned, more ends it with
        /// the code `journal-length-limit`.
        journal_length_limit: u32 = "50000", env::WORKER_JOURNAL_LENGTH_LIMIT;
        /// How many bytes its journal may have: the results and signals that it was given. A replay holds all of them in memory. At 80 % it
        /// is warned, more ends it with the code `journal-bytes-limit`.
        journal_bytes_limit: Size = "64MiB", env::WORKER_JOURNAL_BYTES_LIMIT;
        /// How many workflows that wait it keeps in memory, so that they go on without being replayed. `0` keeps none.
        resident_count: Count = "1000", env::WORKER_RESIDENT_COUNT;
        /// Beyond so much memory of its own it drops waiting workflows, those first that wait longest. Nothing is lost by it. What all instances of a
        /// module share, such as its code, does not count.
        resident_memory: Size = "1GiB", env::WORKER_RESIDENT_MEMORY;
        /// A workflow that has waited for so long is dropped from memory, and replayed when it goes on.
        resident_time: Duration = "10m", env::WORKER_RESIDENT_TIME;
        /// A PEM file of certificate authorities that HTTPS requests of modules rely on, besides the public ones: those of your own servers.
        ca_file: Option<PathBuf> = "", env::WORKER_CA_FILE;
    }
    /// What a worker says while it runs.
    log: Log {
        /// A level, or levels by module: `info`, `warn,currant_host=debug`.
        filter: String = "info", env::LOG;
    }
}

impl Config {
    /// Loads the configuration for a command that runs in the current folder. `flags` are the values of its command line, by key.
    pub fn load<const N: usize>(flags: [(&'static str, Option<String>); N]) -> Result<Config, Error> {
        let folder = Path::new(".");
        let environment =
            Environment::load(folder).map_err(|source| Error::Unreadable { path: ".env".into(), source: source.into() })?;
        Config::load_from(folder, &environment, flags)
    }

    /// Loads the configuration as a command would that ran in this folder, with this environment.
    pub fn load_from<const N: usize>(
        folder: &Path,
        environment: &Environment,
        flags: [(&'static str, Option<String>); N],
    ) -> Result<Config, Error> {
        let user_file = user_config_folder(environment).map(|config| config.join("currant/config.toml"));
        let file = [Some(folder.join("currant.toml")), user_file].into_iter().flatten().find(|path| path.is_file());
        let mut given = from_dev_file(&folder.join(DEV_FILE));
        let mut queues = BTreeMap::new();
        if let Some(path) = file {
            let text = std::fs::read_to_string(&path)
                .map_err(|source| Error::Unreadable { path: path.clone(), source: source.into() })?;
            let said = from_file(&path, &text)?;
            given.extend(said.settings);
            queues = said.queues;
        }
        given.extend(from_environment(environment));
        given.extend(
            flags.into_iter().filter_map(|(key, value)| Some((key, Given { text: value?, source: Source::CommandLine }))),
        );
        Config::from_given(given, queues)
    }

    /// Refuses values that no worker could live with.
    fn within_bounds(self) -> Result<Config, Error> {
        let Worker { lease, poll_interval, slots, resident_count, .. } = &self.worker;
        let bounds = [
            ("worker.lease", *lease >= SHORTEST_LEASE, format!("it is at least {}", durations::format(SHORTEST_LEASE))),
            (
                "worker.poll_interval",
                *poll_interval >= SHORTEST_POLL,
                format!("it is at least {}", durations::format(SHORTEST_POLL)),
            ),
            ("worker.slots", *slots <= MOST_SLOTS, format!("it is at most {MOST_SLOTS}")),
            ("worker.resident_count", resident_count.0 <= MOST_RESIDENTS, format!("it is at most {MOST_RESIDENTS}")),
        ];
        let broken = bounds.into_iter().find(|(_, holds, _)| !holds);
        let broken = broken.and_then(|(key, _, reason)| Some((key, reason, self.source(key)?.clone())));
        match broken {
            Some((key, reason, given)) => Err(Error::Invalid { key: key.into(), given, reason: format!("is wrong: {reason}") }),
            None => Ok(self),
        }
    }

    /// Where the value of a setting comes from; none if it is the default.
    pub fn source(&self, key: &str) -> Option<&Source> {
        self.given.get(key).map(|given| &given.source)
    }
}

/// A shorter lease is over before it can be renewed, and the worker begins anew again and again.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);
/// Asking more often finds nothing sooner, and keeps the database busy.
const SHORTEST_POLL: Duration = Duration::from_millis(10);
/// Each may have an instance with its stacks and memory maps, of which a process has some ten thousand.
const MOST_SLOTS: u32 = 10_000;
/// See [`MOST_SLOTS`]; waiting instances need fewer of them.
const MOST_RESIDENTS: u32 = 100_000;

/// A number of bytes, written `64KiB`, `256MiB`, `1GiB`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size(
    /// In bytes.
    pub u64,
);

/// A number of things, which may be none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Count(
    /// How many.
    pub u32,
);

/// Where a value was given.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// On the command line.
    CommandLine,
    /// In this environment variable, or in `.env` under this name.
    Environment(&'static str),
    /// In this file.
    File(PathBuf),
    /// In the file that a running `currant dev` wrote.
    Dev(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::CommandLine => write!(f, "the command line"),
            Source::Environment(name) => write!(f, "{name}"),
            Source::File(path) | Source::Dev(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is there and cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is not TOML.
    #[error("{} is not valid TOML", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// The file has a key that does not exist.
    #[error("{} has an unknown setting `{key}`{}", path.display(), suggested(suggestion))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What was meant, probably.
        suggestion: Option<String>,
    },
    /// A value cannot be read.
    #[error("{key} in {given} {reason}")]
    Invalid {
        /// The setting.
        key: String,
        /// Where it was given.
        given: Source,
        /// What is wrong with it.
        reason: String,
    },
}

fn suggested(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map(|key| format!(": did you mean `{key}`?")).unwrap_or_default()
}

/// A value as text, and who gave it. Texts because three of the four sources have nothing else.
#[derive(Clone, Debug)]
struct Given {
    text: String,
    source: Source,
}

fn user_config_folder(environment: &Environment) -> Option<PathBuf> {
    match environment.get("XDG_CONFIG_HOME") {
        Some(folder) => Some(PathBuf::from(folder)),
        None => etcetera::choose_base_strategy().ok().map(|strategy| strategy.config_dir()),
    }
}

fn from_environment(environment: &Environment) -> impl Iterator<Item = (&'static str, Given)> {
    let shared = ("database.url", env::SHARED_DATABASE_URL);
    std::iter::once(shared).chain(SETTINGS.iter().map(|setting| (setting.key, setting.env))).filter_map(|(key, name)| {
        Some((key, Given { text: environment.get(name)?.to_owned(), source: Source::Environment(name) }))
    })
}

/// The file only ever holds what `currant dev` wrote: one that is gone or half written says nothing.
fn from_dev_file(path: &Path) -> BTreeMap<&'static str, Given> {
    let url = std::fs::read(path)
        .ok()
        .and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok())
        .and_then(|file| file.get("database_url")?.as_str().map(str::to_owned));
    url.map(|text| ("database.url", Given { text, source: Source::Dev(path.to_owned()) })).into_iter().collect()
}

/// What a file says.
struct Said {
    settings: BTreeMap<&'static str, Given>,
    queues: BTreeMap<QueueName, QueueSettings>,
}

fn from_file(path: &Path, text: &str) -> Result<Said, Error> {
    let table: toml::Table =
        text.parse().map_err(|source: toml::de::Error| Error::Syntax { path: path.to_owned(), source: source.into() })?;
    let (mut given, mut queues) = (BTreeMap::new(), BTreeMap::new());
    for (section, settings) in table {
        // A key outside any section is looked up like one inside, and is then unknown by its own name.
        let toml::Value::Table(settings) = settings else {
            return Err(unknown(path, section));
        };
        if section == "queues" {
            queues = queues_of_file(path, settings)?;
            continue;
        }
        for (name, value) in settings {
            let key = format!("{section}.{name}");
            let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
                return Err(unknown(path, key));
            };
            let source = Source::File(path.to_owned());
            let text = as_text(&value).ok_or_else(|| Error::Invalid {
                key: setting.key.into(),
                given: source.clone(),
                reason: format!("cannot be a {}", value.type_str()),
            })?;
            given.insert(setting.key, Given { text, source });
        }
    }
    Ok(Said { settings: given, queues })
}

/// `[queues.NAME]`, one table for each.
fn queues_of_file(path: &Path, tables: toml::Table) -> Result<BTreeMap<QueueName, QueueSettings>, Error> {
    let wrong = |key: String, reason: String| Error::Invalid { key, given: Source::File(path.to_owned()), reason };
    let mut queues = BTreeMap::new();
    for (name, settings) in tables {
        let key = format!("queues.{name}");
        let queue = QueueName::parse(&name).map_err(|error| wrong(key.clone(), format!("is wrong: {error}")))?;
        let toml::Value::Table(settings) = settings else {
            return Err(wrong(key, "is a section of its own: write `[queues.NAME]`, with the settings below it".into()));
        };
        let mut said = QueueSettings::default();
        for (setting, value) in settings {
            let key = format!("{key}.{setting}");
            if setting != queues::RETENTION && queues::setting_name(&setting).is_err() {
                let suggestion = queues::nearest(&setting).map(|nearest| format!("queues.{name}.{nearest}"));
                return Err(Error::UnknownKey { path: path.to_owned(), key, suggestion });
            }
            let text = as_text(&value).ok_or_else(|| wrong(key.clone(), format!("cannot be a {}", value.type_str())))?;
            said.set(&setting, &text).map_err(|reason| wrong(key, format!("is wrong: {reason}")))?;
        }
        queues.insert(queue, said);
    }
    Ok(queues)
}

fn as_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Array(items) => {
            let items: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
            items.map(|items| items.join(","))
        }
        _ => None,
    }
}

fn unknown(path: &Path, key: String) -> Error {
    // The last part counts alone too: a right name in the wrong section is a likely mistake.
    let last = |key: &str| key.rsplit('.').next().map(str::to_owned).unwrap_or_default();
    let likeness =
        |setting: &Setting| strsim::jaro_winkler(setting.key, &key).max(strsim::jaro_winkler(&last(setting.key), &last(&key)));
    let best = SETTINGS.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let suggestion = best.filter(|setting| likeness(setting) > 0.8).map(|setting| setting.key.to_owned());
    Error::UnknownKey { path: path.to_owned(), key, suggestion }
}

fn read<T: FromText>(given: &BTreeMap<&'static str, Given>, key: &'static str, default: &str) -> Result<T, Error> {
    match given.get(key) {
        Some(value) => T::from_text(&value.text).map_err(|reason| Error::Invalid {
            key: key.into(),
            given: value.source.clone(),
            reason: format!("is wrong: {reason}"),
        }),
        None => Ok(T::from_text(default).expect("the defaults can be read, as the tests show")),
    }
}

/// How a setting's type is read.
trait FromText: Sized {
    fn from_text(text: &str) -> Result<Self, String>;
}

impl FromText for String {
    fn from_text(text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }
}

impl FromText for Option<String> {
    fn from_text(text: &str) -> Result<Option<String>, String> {
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }
}

impl FromText for Option<PathBuf> {
    fn from_text(text: &str) -> Result<Option<PathBuf>, String> {
        Ok((!text.is_empty()).then(|| text.into()))
    }
}

impl FromText for Vec<String> {
    fn from_text(text: &str) -> Result<Vec<String>, String> {
        Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
    }
}

impl FromText for u32 {
    fn from_text(text: &str) -> Result<u32, String> {
        text.parse().ok().filter(|number| *number > 0).ok_or_else(|| format!("`{text}` is not a whole number above 0"))
    }
}

impl FromText for Count {
    fn from_text(text: &str) -> Result<Count, String> {
        text.parse().map(Count).map_err(|_| format!("`{text}` is not a whole number"))
    }
}

impl FromText for Duration {
    fn from_text(text: &str) -> Result<Duration, String> {
        durations::parse(text).map_err(|error| error.to_string())
    }
}

impl FromText for Size {
    fn from_text(text: &str) -> Result<Size, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = [("KiB", 10), ("MiB", 20), ("GiB", 30)].into_iter().find(|(name, _)| *name == unit.trim());
        unit.and_then(|(_, shift)| number.parse::<u64>().ok()?.checked_mul(1 << shift))
            .filter(|bytes| *bytes > 0)
            .map(Size)
            .ok_or_else(|| format!("`{text}` is not a size; write for example 64MiB or 1GiB"))
    }
}

#[cfg(test)]
mod tests;
