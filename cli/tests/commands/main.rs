//! The program as people and scripts have it: exit status, stdout, stderr, against a database and without a worker.
//!
//! What workers do is played by statements; what they really do is tested end to end, and not here.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use currant_core::ids::WorkerId;
use currant_core::modules::{self, ModuleDescription, Verdict};
use currant_test_support::TestDatabase;
use serde_json::json;
use sqlx::AssertSqlSafe;
use tempfile::TempDir;

mod bulk;
mod connecting;
mod deploying;
mod doctor;
mod help;
mod looking;
mod operating;
mod queues;
mod schedules;
mod starting;

/// A database, a folder, and the program.
struct Cli {
    database: TestDatabase,
    folder: TempDir,
}

impl Cli {
    /// On a database in which nothing is deployed.
    async fn new() -> Cli {
        Cli { database: TestDatabase::new().await, folder: tempfile::tempdir().unwrap() }
    }

    /// On a database with the module `shop`: the workflow `checkout` and the task `charge`.
    async fn with_shop() -> Cli {
        let cli = Cli::new().await;
        cli.deploy_shop().await;
        cli
    }

    async fn deploy_shop(&self) {
        let description: ModuleDescription = serde_json::from_value(json!({
            "name": "shop", "version": "1.4.0", "sdk": "rust 0.1.0",
            "functions": [
                { "name": "checkout", "kind": "workflow", "description": "Sells.\nAnd ships.", "timeouts": {"total_ms": 86_400_000} },
                { "name": "charge", "kind": "task", "queue": "stripe-api", "timeouts": {"attempt_ms": 30_000, "heartbeat_ms": 5_000},
                  "retry": {"retries": 5, "backoff_ms": 1000, "multiplier": 2.0, "max_backoff_ms": 60_000} },
            ],
        }))
        .unwrap();
        let grants =
            serde_json::from_value(json!({ "http": ["api.stripe.com:443"], "env": {"STRIPE_KEY": "sk-secret"} })).unwrap();
        let deployment = modules::upload(self.database.pool(), b"a component", false, Some(&grants)).await.unwrap();
        let refusal = modules::decide(self.database.pool(), WorkerId::random(), deployment, Verdict::Deployed(description))
            .await
            .unwrap();
        assert_eq!(refusal, None);
    }

    /// Does by hand what a worker would.
    async fn sql(&self, statements: &str) {
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(self.database.pool()).await.unwrap();
    }

    /// Runs the program in the folder, with nothing but the database in its environment.
    fn run(&self, arguments: &[&str]) -> String {
        self.run_with(arguments, "")
    }

    /// Runs it with this on stdin.
    fn run_with(&self, arguments: &[&str], stdin: &str) -> String {
        let mut command = program(self.folder.path());
        command.env("CURRANT_DATABASE_URL", self.database.url()).args(arguments);
        shown(&output(command, stdin))
    }

    /// Starts an execution that the tests then look at; answers its id.
    fn start(&self, arguments: &[&str]) -> String {
        let mut command = program(self.folder.path());
        command.env("CURRANT_DATABASE_URL", self.database.url()).args(["start", "--quiet"]).args(arguments);
        let output = output(command, "");
        assert!(output.status.success(), "{}", shown(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// The program, in this folder and with an empty environment.
fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_currant"));
    command.env_clear().env("HOME", folder).current_dir(folder);
    command
}

fn output(mut command: Command, stdin: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Everything that a caller sees.
fn shown(output: &Output) -> String {
    let mut text = format!("exit status {}", output.status.code().unwrap());
    for (name, stream) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if !stream.is_empty() {
            text.push_str(&format!("\n--- {name}\n{}", String::from_utf8_lossy(stream).trim_end()));
        }
    }
    text
}

/// Compares with a snapshot in the test; what differs from run to run is replaced.
macro_rules! assert_shown {
    ($shown:expr, @$snapshot:literal) => {{
        insta::with_settings!({ filters => vec![
            (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[id]"),
            (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z", "[time]"),
            (r"\b[0-9a-f]{64}\b", "[digest]"),
            (r"for [^,\n]*, since", "for [length], since"),
            (r#""oldest_age_ms": \d+"#, r#""oldest_age_ms": [number]"#),
            (r", [^,\n]* after it was asked for", ", [length] after it was asked for"),
            (r#""(trace_id|span_id)": "[0-9a-f]+""#, r#""$1": "[hex]""#),
        ] }, { insta::assert_snapshot!($shown, @$snapshot) })
    }};
}
use assert_shown;
