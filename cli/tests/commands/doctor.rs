//! The check-up, of a database in which something is wrong. What the tests' own server is set to is left out.

use sqlx::Connection;

use crate::{Cli, output, program};

impl Cli {
    /// What was found, without what the server's settings and other tests on it cause.
    fn findings(&self) -> (Vec<String>, Option<i32>) {
        let mut command = program(self.folder.path());
        command.env("CURRANT_DATABASE_URL", self.database.url()).args(["doctor", "--json"]);
        let output = output(command, "");
        let findings: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
        let ours = ["the index", "no worker", "wait for a deployment", "dead rows", "retention"];
        let findings = findings.iter().map(|finding| finding["what"].as_str().unwrap().to_owned());
        (findings.filter(|what| ours.iter().any(|word| what.contains(word))).collect(), output.status.code())
    }
}

#[tokio::test]
async fn what_is_missing_is_found_and_named() {
    let cli = Cli::with_shop().await;
    assert_eq!(cli.findings().0, ["no worker runs"]);
    cli.start(&["later", "--parked"]);
    cli.start(&["charge", "--queue", "mail"]);
    cli.sql(
        "drop index currant.ready_claim;
         insert into currant.worker_heartbeats (id, host, pid, version, slots, queues, lease_until)
         values (gen_random_uuid(), 'h', 1, '0', 1, '{default}', currant.now() + interval '1 day');
         insert into currant.duties (name, busy_until, done_at) values ('retention', currant.now(), currant.now() - interval '5 hours')",
    )
    .await;
    let (found, status) = cli.findings();
    assert_eq!(
        found,
        [
            "the index ready_claim is missing",
            "no worker serves the queue mail, in which something waits",
            "retention made its last pass 5h ago",
            "1 executions wait for a deployment",
        ]
    );
    assert_eq!(status, Some(1));
}

#[tokio::test]
async fn a_transaction_that_stays_open_is_found() {
    let cli = Cli::with_shop().await;
    let mut other = cli.database.connect().await;
    let mut open = other.begin().await.unwrap();
    sqlx::query("set transaction isolation level repeatable read").execute(&mut *open).await.unwrap();
    sqlx::query("select 1").execute(&mut *open).await.unwrap();
    cli.database.clock().advance(std::time::Duration::from_secs(7_200)).await;
    let shown = cli.run(&["doctor"]);
    assert!(
        shown.contains("problem: a transaction has been open for 2h") && shown.contains("pg_terminate_backend("),
        "{shown}"
    );
}
