use std::path::PathBuf;

use super::*;

/// A folder of its own per test, without a user's configuration in reach.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("currant-config-{}-{test}", std::process::id()));
        std::fs::create_dir_all(path.join(".currant")).unwrap();
        Folder(path)
    }

    fn with(self, file: &str, text: &str) -> Folder {
        let path = self.0.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// `variables` beside an XDG_CONFIG_HOME in the folder.
    fn load<const N: usize>(
        &self,
        variables: &[(&str, &str)],
        flags: [(&'static str, Option<String>); N],
    ) -> Result<Config, Error> {
        let xdg = self.0.join("xdg");
        let variables = variables.iter().copied().chain([("XDG_CONFIG_HOME", xdg.to_str().unwrap())]);
        Config::load_from(&self.0, &variables.collect(), flags)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const NO_FLAGS: [(&str, Option<String>); 0] = [];

#[test]
fn without_anything_the_defaults_hold() {
    let config = Folder::new("defaults").load(&[], NO_FLAGS).unwrap();
    assert_eq!(config.database.url, None);
    assert_eq!(config.source("database.url"), None);
    assert_eq!(config.worker.slots, 64);
    assert_eq!(config.worker.queues, Vec::<String>::new());
    assert_eq!(config.worker.memory_limit, Size(256 << 20));
    assert_eq!((config.worker.operations_limit, config.worker.journal_bytes_limit), (20_000, Size(64 << 20)));
}

#[test]
fn each_source_goes_before_the_ones_behind_it() {
    let mut folder = Folder::new("precedence");
    let url = |folder: &Folder, variables: &[(&str, &str)], flag: Option<&str>| {
        folder.load(variables, [("database.url", flag.map(str::to_owned))]).unwrap().database.url.unwrap()
    };

    folder = folder.with(DEV_FILE, r#"{"database_url": "postgres://dev"}"#);
    assert_eq!(url(&folder, &[], None), "postgres://dev");
    folder = folder.with("xdg/currant/config.toml", "[database]\nurl = \"postgres://user-file\"");
    assert_eq!(url(&folder, &[], None), "postgres://user-file");
    folder = folder.with("currant.toml", "[database]\nurl = \"postgres://file\"");
    assert_eq!(url(&folder, &[], None), "postgres://file");
    let shared = ("DATABASE_URL", "postgres://shared");
    assert_eq!(url(&folder, &[shared], None), "postgres://shared");
    let ours = ("CURRANT_DATABASE_URL", "postgres://ours");
    assert_eq!(url(&folder, &[shared, ours], None), "postgres://ours");
    assert_eq!(url(&folder, &[shared, ours], Some("postgres://flag")), "postgres://flag");
}

#[test]
fn a_file_beside_the_command_hides_the_users_file_as_a_whole() {
    let folder = Folder::new("search-path")
        .with("xdg/currant/config.toml", "[worker]\nslots = 1\nlease = \"1s\"")
        .with("currant.toml", "[worker]\nslots = 2");
    let config = folder.load(&[], NO_FLAGS).unwrap();
    assert_eq!(config.worker.slots, 2);
    assert_eq!(config.worker.lease, Duration::from_secs(15));
    assert_eq!(config.source("worker.slots"), Some(&Source::File(folder.0.join("currant.toml"))));
}

#[test]
fn an_env_file_stands_behind_the_processs_own_variables() {
    let folder =
        Folder::new("env-file").with(".env", "CURRANT_TEST_OF_ENV_FILE=from-file\nPATH=/nowhere\nCURRANT_TEST_EMPTY=\n");
    let environment = Environment::load(&folder.0).unwrap();
    assert_eq!(environment.get("CURRANT_TEST_OF_ENV_FILE"), Some("from-file"));
    assert_ne!(environment.get("PATH"), Some("/nowhere"));
    assert_eq!(environment.get("CURRANT_TEST_EMPTY"), None);
}

#[test]
fn every_kind_of_value_is_read_from_file_and_variable() {
    let folder = Folder::new("values")
        .with("currant.toml", "[worker]\nslots = 4\nqueues = [\"mail\", \"default\"]\nlease = \"1m\"\nmemory_limit = \"1GiB\"");
    let config =
        folder.load(&[("CURRANT_WORKER_QUEUES", "a, b"), ("CURRANT_WORKER_POLL_INTERVAL", "250ms")], NO_FLAGS).unwrap();
    assert_eq!(config.worker.slots, 4);
    assert_eq!(config.worker.queues, ["a", "b"]);
    assert_eq!(config.worker.lease, Duration::from_secs(60));
    assert_eq!(config.worker.poll_interval, Duration::from_millis(250));
    assert_eq!(config.worker.memory_limit, Size(1 << 30));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let message = |text: &str| {
        let folder = Folder::new("wrong").with("currant.toml", text);
        let error = folder.load(&[], NO_FLAGS).unwrap_err().to_string();
        error.replace(folder.0.to_str().unwrap(), ".")
    };
    assert_eq!(
        message("[worker]\nslot = 4"),
        "./currant.toml has an unknown setting `worker.slot`: did you mean `worker.slots`?"
    );
    assert_eq!(
        message("[database]\nslots = 4"),
        "./currant.toml has an unknown setting `database.slots`: did you mean `worker.slots`?"
    );
    assert_eq!(message("[zebra]\nx = 4"), "./currant.toml has an unknown setting `zebra.x`");
    assert_eq!(message("url = 4"), "./currant.toml has an unknown setting `url`: did you mean `database.url`?");
    assert_eq!(message("[worker"), "./currant.toml is not valid TOML");
    assert_eq!(message("[worker]\nlease = \"10ms\""), "worker.lease in ./currant.toml is wrong: it is at least 1s");
    assert_eq!(
        message("[worker]\npoll_interval = \"0s\""),
        "worker.poll_interval in ./currant.toml is wrong: it is at least 10ms"
    );
    assert_eq!(message("[worker]\nslots = 4000000000"), "worker.slots in ./currant.toml is wrong: it is at most 10000");
    assert_eq!(
        message("[worker]\nresident_count = 4000000000"),
        "worker.resident_count in ./currant.toml is wrong: it is at most 100000"
    );
    assert_eq!(message("[worker]\nslots = 0"), "worker.slots in ./currant.toml is wrong: `0` is not a whole number above 0");
    assert_eq!(message("[worker]\nslots = true"), "worker.slots in ./currant.toml cannot be a boolean");
    assert_eq!(
        message("[worker]\nmemory_limit = \"lots\""),
        "worker.memory_limit in ./currant.toml is wrong: `lots` is not a size; write for example 64MiB or 1GiB"
    );
    let error = Folder::new("wrong-variable").load(&[("CURRANT_WORKER_LEASE", "soon")], NO_FLAGS).unwrap_err();
    assert_eq!(
        error.to_string(),
        "worker.lease in CURRANT_WORKER_LEASE is wrong: `soon` is not a duration; write for example 7d, 12h, 30m, 10s, 500ms or 1h30m"
    );
}

#[test]
fn queues_are_sections_of_their_own() {
    let folder = Folder::new("queues").with(
        "currant.toml",
        "[queues.mail]\nrate_limit = \"100/s\"\nconcurrency = 5\nretention = \"7d\"\n\n[queues.\"stripe.api\"]\nburst = 2",
    );
    let queues = folder.load(&[], NO_FLAGS).unwrap().queues;
    let mut mail = QueueSettings::default();
    for (name, text) in
        [("rate_limit", "100/sec"), ("concurrency", "5"), ("retention_tasks", "7d"), ("retention_workflows", "7d")]
    {
        mail.set(name, text).unwrap();
    }
    assert_eq!(queues.len(), 2);
    assert_eq!(queues[&QueueName::parse("mail").unwrap()], mail);

    let message = |text: &str| {
        let folder = Folder::new("wrong-queues").with("currant.toml", text);
        folder.load(&[], NO_FLAGS).unwrap_err().to_string().replace(folder.0.to_str().unwrap(), ".")
    };
    assert_eq!(
        message("[queues.mail]\nratelimit = \"1/sec\""),
        "./currant.toml has an unknown setting `queues.mail.ratelimit`: did you mean `queues.mail.rate_limit`?"
    );
    assert_eq!(
        message("[queues.mail]\nrate_limit = \"often\""),
        "queues.mail.rate_limit in ./currant.toml is wrong: `often` is not a rate; write for example 100/sec, 1000/min or 5/hour"
    );
    assert_eq!(
        message("[queues.Mail]\nburst = 1"),
        "queues.Mail in ./currant.toml is wrong: `Mail` is not a valid queue name: it has 1 to 100 of a-z 0-9 _ . -"
    );
    assert_eq!(message("[queues.mail]\nburst = 0.5"), "queues.mail.burst in ./currant.toml cannot be a float");
}

#[test]
fn a_dev_file_that_is_half_written_says_nothing() {
    let folder = Folder::new("half").with(DEV_FILE, "{\"database_");
    assert_eq!(folder.load(&[], NO_FLAGS).unwrap().database.url, None);
}

/// Goal: the reference page says what the code says. `CURRANT_UPDATE_DOCS=1 cargo test` rewrites its table.
#[test]
fn the_reference_page_is_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- settings: begin, generated from core/src/config.rs -->\n", "<!-- settings: end -->");
    let (before, rest) = page.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let mut table = String::from("| setting | variable | default | |\n|---|---|---|---|\n");
    for setting in SETTINGS {
        let default = if setting.default.is_empty() { "none".to_owned() } else { format!("`{}`", setting.default) };
        let documentation: Vec<&str> = setting.documentation.iter().map(|line| line.trim()).collect();
        table.push_str(&format!("| `{}` | `{}` | {default} | {} |\n", setting.key, setting.env, documentation.join(" ")));
    }
    table.push_str("\nOf a queue, in a section `[queues.NAME]` of the file:\n\n| setting | default | |\n|---|---|---|\n");
    for setting in &queues::SETTINGS {
        table.push_str(&format!("| `{}` | {} | {} |\n", setting.name, setting.default, setting.documentation));
    }
    let expected = format!("{before}{begin}{table}{end}{after}");
    if std::env::var_os("CURRANT_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected, "docs/configuration.md is not what core/src/config.rs says");
}
