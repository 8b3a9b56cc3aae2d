//! Lists, histories and logs.

use std::process::{Command, Stdio};

use crate::starting::ended;
use crate::{Cli, assert_shown, program};

#[tokio::test]
async fn executions_are_listed_the_newest_first() {
    let cli = Cli::with_shop().await;
    assert_shown!(cli.run(&["list"]), @"
    exit status 0
    --- stderr
    no execution is found
    ");
    let charge = cli.start(&["charge"]);
    cli.sql(&ended(&charge, "failed", "null", r#"'{"code": "Declined", "message": "no"}'"#)).await;
    cli.start(&["checkout", "--id", "order-1"]);
    cli.start(&["later", "--parked"]);
    assert_shown!(cli.run(&["list"]), @"
    exit status 0
    --- stdout
    ID                                    FUNCTION  STATUS            ATTEMPT  QUEUE       CREATED               TASK_ID
    [id]  later     pending (parked)  1        default     [time]
    [id]  checkout  pending           1        default     [time]  order-1
    [id]  charge    failed            3        stripe-api  [time]
    ");
    assert_shown!(cli.run(&["list", "--status", "failed"]), @"
    exit status 0
    --- stdout
    ID                                    FUNCTION  STATUS  ATTEMPT  QUEUE       CREATED               TASK_ID
    [id]  charge    failed  3        stripe-api  [time]
    ");
    assert_shown!(cli.run(&["list", "--function", "checkout"]), @"
    exit status 0
    --- stdout
    ID                                    FUNCTION  STATUS   ATTEMPT  QUEUE    CREATED               TASK_ID
    [id]  checkout  pending  1        default  [time]  order-1
    ");
    assert_shown!(cli.run(&["list", "--queue", "stripe-api", "--limit", "1"]), @"
    exit status 0
    --- stdout
    ID                                    FUNCTION  STATUS  ATTEMPT  QUEUE       CREATED               TASK_ID
    [id]  charge    failed  3        stripe-api  [time]
    --- stderr
    there may be more: --limit
    ");
    assert_shown!(cli.run(&["list", "--status", "finished"]), @"
    exit status 2
    --- stderr
    error: invalid value 'finished' for '--status <STATUS>': `finished` is not a status; there are pending, running, suspended, completed, failed, cancelled, timed_out

    For more information, try '--help'.
    ");
}

#[tokio::test]
async fn a_status_has_stable_keys() {
    let cli = Cli::with_shop().await;
    cli.start(&["checkout", "--id", "order-1", "--input", "{\"order\": 42}"]);
    assert_shown!(cli.run(&["status", "order-1", "--json"]), @r#"
    exit status 0
    --- stdout
    {
      "id": "[id]",
      "task_id": "order-1",
      "kind": "workflow",
      "function": "checkout",
      "queue": "default",
      "status": "pending",
      "parked": false,
      "priority": 0,
      "run_at": "[time]",
      "attempt": 1,
      "input": {"order": 42},
      "result": null,
      "failure": null,
      "parent_workflow_id": null,
      "worker_id": null,
      "resident_on": null,
      "created_at": "[time]",
      "started_at": null,
      "ended_at": null,
      "progress": null,
      "warning": null,
      "cancel_requested": false,
      "module": null,
      "chain": 1,
      "concurrency_key": null,
      "trace_id": "[hex]",
      "span_id": "[hex]",
      "trace_context": null,
      "tags": []
    }
    "#);
    assert_shown!(cli.run(&["status", "order-1"]), @r#"
    exit status 0
    --- stdout
    id         [id]
    task_id    order-1
    function   checkout (workflow)
    status     pending
    queue      default
    created    [time]
    input      {"order": 42}
    "#);
}

#[tokio::test]
async fn modules_and_functions_are_listed_without_secrets() {
    let cli = Cli::new().await;
    assert_shown!(cli.run(&["modules"]), @"
    exit status 0
    --- stderr
    nothing is deployed
    hint: deploy a module: currant deploy MODULE.wasm
    ");
    assert_shown!(cli.run(&["functions"]), @"
    exit status 0
    --- stderr
    nothing is deployed
    hint: deploy a module: currant deploy MODULE.wasm
    ");
    cli.deploy_shop().await;
    assert_shown!(cli.run(&["modules"]), @"
    exit status 0
    --- stdout
    MODULE  VERSION  DIGEST        FUNCTIONS  OPEN WORKFLOWS  DEPLOYED              MAY TOUCH
    shop    1.4.0    626d0ce33ca5  2          0               [time]  http api.stripe.com:443, env STRIPE_KEY
    ");
    assert_shown!(cli.run(&["modules", "--json"]), @r#"
    exit status 0
    --- stdout
    [
      {
        "name": "shop",
        "digest": "[digest]",
        "version": "1.4.0",
        "sdk": "rust 0.1.0",
        "size": 11,
        "deployed_at": "[time]",
        "current": true,
        "functions": 2,
        "open_executions": 0,
        "http": [
          "api.stripe.com:443"
        ],
        "env": [
          "STRIPE_KEY"
        ]
      }
    ]
    "#);
    assert_shown!(cli.run(&["functions"]), @"
    exit status 0
    --- stdout
    FUNCTION  KIND      QUEUE       RETRIES  TIMEOUTS                   MODULE  DESCRIPTION
    charge    task      stripe-api  5        attempt 30s, heartbeat 5s  shop
    checkout  workflow  default     0        total 1d                   shop    Sells.
    ");
    assert_shown!(cli.run(&["functions", "--json"]), @r#"
    exit status 0
    --- stdout
    [
      {
        "name": "charge",
        "module": "shop",
        "digest": "[digest]",
        "kind": "task",
        "queue": "stripe-api",
        "priority": 0,
        "retry": {
          "retries": 5,
          "backoff_ms": 1000,
          "multiplier": 2.0,
          "max_backoff_ms": 60000
        },
        "timeouts": {
          "attempt_ms": 30000,
          "heartbeat_ms": 5000
        },
        "description": null
      },
      {
        "name": "checkout",
        "module": "shop",
        "digest": "[digest]",
        "kind": "workflow",
        "queue": "default",
        "priority": 0,
        "retry": null,
        "timeouts": {
          "total_ms": 86400000
        },
        "description": "Sells.\nAnd ships."
      }
    ]
    "#);
}

#[tokio::test]
async fn a_workflows_history_tells_what_it_did() {
    let cli = Cli::with_shop().await;
    let id = cli.start(&["checkout", "--id", "order-1"]);
    cli.sql(&journal(&id)).await;
    assert_shown!(cli.run(&["history", "order-1"]), @r#"
    exit status 0
    --- stdout
    checkout order-1  cancelled
    [id]
    asked for at [time], module sha256:626d0ce33ca5, took 59m31s

          TIME   BY  RUN   POS   OP
       +0.000s   w1    1     0       • begins
       +0.004s   w1    1     1       = version new-prices             2
                 w1    1     2    1  → task charge
                 w1    1     3    2  → workflow ship
                 w1    1     4    3  → timer 1m30s
       +0.153s   w1    1     5    1  ← task charge                    {"receipt": "r-1"}
       +0.160s   w1    1     6    4  ✓ step price                     {"cents": 1250}
       +0.170s   w1    1     7    5  ✗ step stock                     Empty: nothing left
        +1m30s   w2    3     8    3  ← timer 1m30s
                 w2    3     9    6  → signal approved
                 w2    3    10    7  → external operation
        +5m00s         4    11    6  ← signal approved                {"text": "a long value a long value a long value a long value a long val…
       +59m00s         4    12    2  ✗ workflow ship                  Lost: the parcel is gone
                       4    13    7  × gives up external operation
       +59m30s         5    14       ! its cancellation is requested
                       5    15    8  ? teleport home                  1
       +59m31s                       ✗ cancelled                      cancelled: undone

                 w1  worker [id], box, pid 4711
                 w2  worker [id], gone
    "#);
    let full = cli.run(&["history", "order-1", "--full"]);
    assert!(full.contains(&"a long value ".repeat(10)), "{full}");
    assert_shown!(cli.run(&["history", "order-1", "--around", "20"]), @r#"
    exit status 0
    --- stdout
    checkout order-1  cancelled
    [id]
    asked for at [time], module sha256:626d0ce33ca5, took 59m31s

          TIME   BY  RUN   POS   OP
       +59m30s         5    15    8  ? teleport home  1
    "#);
    assert_shown!(cli.run(&["history", "order-1", "--chain", "2"]), @r#"
    exit status 0
    --- stdout
    checkout order-1  cancelled
    [id]
    asked for at [time], module sha256:626d0ce33ca5, took 59m31s

    nothing is on record there
    "#);
}

#[tokio::test]
async fn a_history_of_nothing_says_so() {
    let cli = Cli::with_shop().await;
    cli.start(&["charge", "--id", "c-1"]);
    assert_shown!(cli.run(&["history", "c-1"]), @r"
    exit status 0
    --- stdout
    charge c-1  pending
    [id]
    asked for at [time]

    nothing has happened yet
    ");
}

#[tokio::test]
async fn a_history_has_stable_keys() {
    let cli = Cli::with_shop().await;
    let id = cli.start(&["checkout"]);
    cli.sql(&format!(
        "insert into currant.journal (workflow_id, chain, position, run, sum, kind, operation, name, hash, body, at) values
             ('{id}', 1, 0, 1, 0, 'started', null, null, null, '{{\"version\": 1}}', '2030-01-01T10:00:00Z'),
             ('{id}', 1, 1, 1, 0, 'task', 1, 'charge', '\\x00112233445566778899aabbccddeeff', null, '2030-01-01T10:00:00.004Z')"
    ))
    .await;
    let told = cli.run(&["history", &id, "--json"]);
    let journal = told.split_once("\"entries\"").map(|(_, journal)| journal).unwrap_or(&told);
    assert_shown!(journal, @r#"
    : [
        {
          "chain": 1,
          "run": 1,
          "worker_id": null,
          "position": 0,
          "kind": "started",
          "operation": null,
          "name": null,
          "body": {"version": 1},
          "at": "[time]"
        },
        {
          "chain": 1,
          "run": 1,
          "worker_id": null,
          "position": 1,
          "kind": "task",
          "operation": 1,
          "name": "charge",
          "body": null,
          "at": "[time]"
        }
      ],
      "attempts": []
    }
    "#);
}

#[tokio::test]
async fn a_tasks_history_is_its_attempts() {
    let cli = Cli::with_shop().await;
    let id = cli.start(&["charge"]);
    cli.sql(&format!(
        "update currant.requests set created_at = '2030-01-01T10:00:00Z' where id = '{id}';
         insert into currant.attempts (id, run, attempt, failure, started_at, ended_at) values
             ('{id}', 1, 1, '{{\"code\": \"worker-lost\", \"message\": \"its worker was not heard of any more\"}}', null, '2030-01-01T10:00:16Z'),
             ('{id}', 2, 1, '{{\"code\": \"Declined\", \"message\": \"try\\nlater\"}}', null, '2030-01-01T10:01:16Z');
         delete from currant.ready where id = '{id}';
         insert into currant.outcomes (id, status, kind, result, attempt, run, ended_at)
         values ('{id}', 'completed', 'task', '{{\"receipt\": 7}}', 2, 3, '2030-01-01T10:01:17.5Z')"
    ))
    .await;
    assert_shown!(cli.run(&["history", &id]), @r#"
    exit status 0
    --- stdout
    charge  completed
    [id]
    asked for at [time], took 1m17s

          TIME   BY  RUN   POS   OP
       +0.000s         1             ✗ attempt 1  worker-lost: its worker was not heard of any more
        +1m00s         2             ✗ attempt 1  Declined: try later
        +1m01s                       ✓ completed  {"receipt": 7}
    "#);
}

#[tokio::test]
async fn logs_are_shown_in_order() {
    let cli = Cli::with_shop().await;
    let id = cli.start(&["charge", "--id", "c-1"]);
    assert_shown!(cli.run(&["logs", "c-1"]), @"
    exit status 0
    --- stderr
    it has logged nothing
    ");
    cli.sql(&format!(
        "insert into currant.logs (execution_id, run, line, at, level, message, attributes) values
             ('{id}', 1, 2, '2030-01-01T10:00:01Z', 'error', 'declined', '{{\"code\": 402}}'),
             ('{id}', 1, 1, '2030-01-01T10:00:00Z', 'info', 'charging', null)"
    ))
    .await;
    assert_shown!(cli.run(&["logs", "c-1"]), @r#"
    exit status 0
    --- stdout
    [time] info  charging
    [time] error declined  {"code": 402}
    "#);
    assert_shown!(cli.run(&["logs", "c-1", "--json"]), @r#"
    exit status 0
    --- stdout
    [
      {
        "run": 1,
        "line": 1,
        "at": "[time]",
        "level": "info",
        "message": "charging",
        "attributes": null
      },
      {
        "run": 1,
        "line": 2,
        "at": "[time]",
        "level": "error",
        "message": "declined",
        "attributes": {"code": 402}
      }
    ]
    "#);
}

/// A workflow that met everything that can be met.
fn journal(id: &str) -> String {
    let row = |position: i32, run: i32, kind: &str, operation: &str, name: &str, body: &str, at: &str| {
        let quoted = |text: &str| if text.is_empty() { "null".to_owned() } else { format!("'{text}'") };
        let operation = if operation.is_empty() { "null" } else { operation };
        format!(
            "('{id}', 1, {position}, {run}, 0, '{kind}', {operation}, {}, null, {}, '2030-01-01T10:{at}Z')",
            quoted(name),
            quoted(body)
        )
    };
    let long = format!("{{\"text\": \"{}\"}}", "a long value ".repeat(10));
    let rows = [
        row(0, 1, "started", "", "", "{\"version\": 1}", "00:00.000"),
        row(1, 1, "version", "", "new-prices", "2", "00:00.004"),
        row(2, 1, "task", "1", "charge", "", "00:00.004"),
        row(3, 1, "workflow", "2", "ship", "", "00:00.004"),
        row(4, 1, "timer", "3", "", "90000", "00:00.004"),
        row(5, 1, "completed", "1", "", "{\"receipt\": \"r-1\"}", "00:00.153"),
        row(6, 1, "step", "4", "price", "{\"cents\": 1250}", "00:00.160"),
        row(7, 1, "step-failed", "5", "stock", "{\"code\": \"Empty\", \"message\": \"nothing left\"}", "00:00.170"),
        row(8, 3, "completed", "3", "", "null", "01:30.004"),
        row(9, 3, "receive", "6", "approved", "", "01:30.010"),
        row(10, 3, "external", "7", "", "{\"secret\": \"5ec3e7\"}", "01:30.010"),
        row(11, 4, "signal", "6", "approved", &long, "05:00.000"),
        row(12, 4, "failed", "2", "", "{\"code\": \"Lost\", \"message\": \"the parcel\\nis gone\"}", "59:00.000"),
        row(13, 4, "cancel", "7", "", "", "59:00.001"),
        row(14, 5, "cancelled", "", "", "", "59:30.000"),
        row(15, 5, "teleport", "8", "home", "1", "59:30.000"),
    ];
    format!(
        "update currant.requests set created_at = '2030-01-01T09:59:59.9Z' where id = '{id}';
         insert into currant.journal (workflow_id, chain, position, run, sum, kind, operation, name, hash, body, at) values {};
         update currant.journal set worker_id = '0199b7c2-6c1e-7e7a-b7f0-000000000001' where workflow_id = '{id}' and position = 0;
         update currant.journal set worker_id = '0199b7c2-6c1e-7e7a-b7f0-000000000002' where workflow_id = '{id}' and position = 8;
         insert into currant.worker_heartbeats (id, host, pid, version, slots, lease_until)
         values ('0199b7c2-6c1e-7e7a-b7f0-000000000001', 'box', 4711, '0.1.0', 1, currant.now() + interval '1 day');
         delete from currant.ready where id = '{id}';
         delete from currant.workflows where id = '{id}';
         insert into currant.outcomes (id, status, kind, failure, attempt, run, chain, digest, ended_at) values
             ('{id}', 'cancelled', 'workflow', '{{\"code\": \"cancelled\", \"message\": \"undone\"}}', 1, 5, 1,
              sha256('a component'), '2030-01-01T10:59:31Z')",
        rows.join(",\n")
    )
}

#[tokio::test]
async fn data_that_nobody_can_have_is_no_success_and_talk_that_nobody_hears_changes_nothing() {
    let cli = Cli::with_shop().await;
    let command = |arguments: &[&str]| {
        let mut command = program(cli.folder.path());
        command.env("CURRANT_DATABASE_URL", cli.database.url()).args(arguments).stdin(Stdio::null());
        command
    };
    // A device that is always full.
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command(&["functions"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot write to stdout: No space left"));

    let without_a_reader = |mut command: Command| {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stderr.take());
        child.wait().unwrap().code()
    };
    assert_eq!(without_a_reader(command(&["start", "nothing-of-this-name"])), Some(1));
    assert_eq!(without_a_reader(command(&["start", "charge"])), Some(0));

    let mut child = command(&["functions"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "as with `currant functions | head`");
}

#[tokio::test]
async fn a_key_with_control_characters_stays_in_its_line() {
    let cli = Cli::with_shop().await;
    cli.sql("select currant.enqueue('charge', task_id => E'a\\nb\\x1b[2Jc')").await;
    let shown = cli.run(&["list"]);
    assert!(shown.ends_with("  a\u{fffd}b\u{fffd}[2Jc"), "{shown}");
}
