//! `start`, and waiting for the end.

use std::fs;

use crate::{Cli, assert_shown};

#[tokio::test]
async fn the_id_goes_to_stdout_and_the_talk_to_stderr() {
    let cli = Cli::with_shop().await;
    assert_shown!(cli.run(&["start", "charge", "--input", "{\"cents\": 100}"]), @"
    exit status 0
    --- stdout
    [id]
    --- stderr
    started [id]
    hint: follow it: currant history [id]
    ");
    assert_shown!(cli.run(&["start", "charge", "--quiet"]), @"
    exit status 0
    --- stdout
    [id]
    ");
    assert_shown!(cli.run(&["start", "checkout", "--id", "order-1", "--json"]), @r#"
    exit status 0
    --- stdout
    {
      "id": "[id]",
      "status": "pending",
      "result": null,
      "created": true,
      "conflict": false
    }
    "#);
}

#[tokio::test]
async fn the_same_key_starts_nothing_new() {
    let cli = Cli::with_shop().await;
    cli.start(&["checkout", "--id", "order-1", "--input", "1"]);
    assert_shown!(cli.run(&["start", "checkout", "--id", "order-1", "--input", "1"]), @"
    exit status 0
    --- stdout
    [id]
    --- stderr
    `order-1` was started before and is pending: nothing new was started
    hint: follow it: currant history order-1
    ");
}

#[tokio::test]
async fn the_same_key_with_another_input_is_a_conflict() {
    let cli = Cli::with_shop().await;
    cli.start(&["checkout", "--id", "order-1", "--input", "1"]);
    assert_shown!(cli.run(&["start", "checkout", "--id", "order-1", "--input", "2"]), @"
    exit status 1
    --- stderr
    error: the task_id `order-1` stands for the execution [id], which has another function or another input and is pending
    hint: look at it: currant status [id]
    hint: start yours under another --id
    ");
}

/// What a worker does to an execution of `checkout`, so that it is in this status.
fn brought_to(status: &str, id: &str) -> String {
    match status {
        "pending" => "select".into(),
        "running" => format!(
            "with claimed as (delete from currant.ready where id = '{id}')
             insert into currant.running (id, run, worker_id, attempt, forgiven, losses, rate_limited, claimed_at, heartbeat_at)
             values ('{id}', 1, gen_random_uuid(), 1, 0, 0, 0, currant.now(), currant.now())"
        ),
        "suspended" => format!(
            "delete from currant.ready where id = '{id}';
             update currant.workflows set waiting = true where id = '{id}'"
        ),
        "completed" => ended(id, status, "'\"paid\"'", "null"),
        _ => ended(id, status, "null", r#"'{"code": "Declined", "message": "no"}'"#),
    }
}

#[tokio::test]
async fn a_key_of_what_is_open_or_completed_starts_nothing_and_tells_a_conflict() {
    let cli = Cli::with_shop().await;
    for status in ["pending", "running", "suspended", "completed"] {
        let key = format!("order-{status}");
        let start = |function: &str, input: &str| cli.run(&["start", function, "--id", &key, "--input", input]);
        let id = cli.start(&["checkout", "--id", &key, "--input", "1"]);
        cli.sql(&brought_to(status, &id)).await;
        let same = start("checkout", "1");
        assert!(same.starts_with("exit status 0") && same.contains(&id), "{same}");
        assert!(same.contains(&format!("`{key}` was started before and is {status}: nothing new was started")), "{same}");
        for conflict in [start("checkout", "2"), start("charge", "1")] {
            let said = format!(
                "error: the task_id `{key}` stands for the execution {id}, which has another function or another input and is {status}"
            );
            assert!(conflict.starts_with("exit status 1") && conflict.contains(&said), "{conflict}");
        }
    }
}

#[tokio::test]
async fn a_key_of_what_did_not_complete_starts_anew() {
    let cli = Cli::with_shop().await;
    for status in ["failed", "cancelled", "timed_out"] {
        let key = format!("order-{status}");
        let id = cli.start(&["checkout", "--id", &key, "--input", "1"]);
        cli.sql(&brought_to(status, &id)).await;
        let again = cli.run(&["start", "charge", "--id", &key, "--input", "2"]);
        assert!(again.starts_with("exit status 0") && again.contains("--- stderr\nstarted "), "{again}");
        assert!(!again.contains(&id), "{again}");
    }
}

#[tokio::test]
async fn a_function_that_nothing_offers_is_refused_with_the_nearest_name() {
    let cli = Cli::with_shop().await;
    assert_shown!(cli.run(&["start", "chekout"]), @"
    exit status 1
    --- stderr
    error: nothing that is deployed offers a function `chekout`
    hint: did you mean `checkout`?
    hint: show what is offered: currant functions
    hint: deploy the module that has it: currant deploy MODULE.wasm; or let it wait for that: currant start chekout --parked
    ");
    assert_shown!(cli.run(&["start", "zebra"]), @"
    exit status 1
    --- stderr
    error: nothing that is deployed offers a function `zebra`
    hint: show what is offered: currant functions
    hint: deploy the module that has it: currant deploy MODULE.wasm; or let it wait for that: currant start zebra --parked
    ");
    assert_shown!(cli.run(&["start", "Check Out"]), @"
    exit status 2
    --- stderr
    error: `Check Out` is not a valid function name: it has 1 to 100 of a-z 0-9 _ . -
    ");
}

#[tokio::test]
async fn a_function_may_be_started_before_it_is_deployed() {
    let cli = Cli::new().await;
    let id = cli.start(&["later", "--parked"]);
    assert_shown!(cli.run(&["status", &id]), @"
    exit status 0
    --- stdout
    id         [id]
    function   later (kind not known yet)
    status     pending: waits for a module that offers later
    queue      default
    created    [time]
    input      null
    ");
}

#[tokio::test]
async fn input_is_read_from_text_file_and_stdin_byte_for_byte() {
    let cli = Cli::with_shop().await;
    let stored = |id: String| {
        let pool = cli.database.pool().clone();
        async move {
            sqlx::query_scalar::<_, String>("select input::text from currant.requests where id = $1::uuid")
                .bind(id)
                .fetch_one(&pool)
                .await
                .unwrap()
        }
    };
    let odd = "{\"b\":1.10, \"a\": 123456789012345678901234567890}";
    assert_eq!(stored(cli.start(&["charge", "--input", odd])).await, odd);
    fs::write(cli.folder.path().join("in.json"), format!("{odd}\n")).unwrap();
    assert_eq!(stored(cli.start(&["charge", "--input", "@in.json"])).await, odd);
    let from_stdin = cli.run_with(&["start", "charge", "--quiet", "--input", "-"], odd);
    assert_eq!(stored(from_stdin.lines().last().unwrap().to_owned()).await, odd);
}

#[tokio::test]
async fn input_that_is_not_json_is_shown_where_it_is_wrong() {
    let cli = Cli::with_shop().await;
    assert_shown!(cli.run(&["start", "charge", "--input", "{\"order\": 42,}"]), @r#"
    exit status 2
    --- stderr
    error: --input is not JSON: key must be a string at line 1, column 14
        {"order": 42,}
                     ^
    "#);
    assert_shown!(cli.run(&["start", "charge", "--input", "hello"]), @r#"
    exit status 2
    --- stderr
    error: --input is not JSON: expected value at line 1, column 1
        hello
        ^
    hint: a text needs its own quotes, within those of the shell: '"text"'
    "#);
    assert_shown!(cli.run(&["start", "charge", "--input", ""]), @"
    exit status 2
    --- stderr
    error: --input is empty, and that is not JSON
    hint: for no input write null
    ");
    assert_shown!(cli.run(&["start", "charge", "--input", "@missing.json"]), @"
    exit status 2
    --- stderr
    error: cannot read missing.json for --input: No such file or directory (os error 2)
    ");
    assert_shown!(cli.run(&["start", "charge", "--input", "\"\\u0000\""]), @"
    exit status 2
    --- stderr
    error: --input cannot be stored: text must not contain U+0000
    ");
}

#[tokio::test]
async fn wrong_usage_is_two() {
    let cli = Cli::with_shop().await;
    assert_shown!(cli.run(&["start", "charge", "--in", "soon"]), @"
    exit status 2
    --- stderr
    error: invalid value 'soon' for '--in <DURATION>': `soon` is not a duration; write for example 7d, 12h, 30m, 10s, 500ms or 1h30m

    For more information, try '--help'.
    ");
    assert_shown!(cli.run(&["start", "charge", "--timeout", "1s"]), @"
    exit status 2
    --- stderr
    error: the following required arguments were not provided:
      --wait

    Usage: currant start --wait --timeout <DURATION> <FUNCTION>

    For more information, try '--help'.
    ");
    assert_shown!(cli.run(&["start", "charge", "--at", "tomorrow"]), @"
    exit status 2
    --- stderr
    error: invalid value 'tomorrow' for '--at <TIME>': `tomorrow` is not a time; write for example [time]

    For more information, try '--help'.
    ");
}

#[tokio::test]
async fn options_reach_the_execution() {
    let cli = Cli::with_shop().await;
    let id = cli.start(&[
        "charge",
        "--queue",
        "slow",
        "--priority",
        "-3",
        "--tag",
        "a",
        "--tag",
        "b",
        "--at",
        "2999-01-01T00:00:00Z",
    ]);
    assert_shown!(cli.run(&["status", &id]), @"
    exit status 0
    --- stdout
    id         [id]
    function   charge (task)
    status     pending, not before [time]
    queue      slow
    priority   -3
    created    [time]
    tags       a, b
    input      null
    ");
}

#[tokio::test]
async fn waiting_prints_the_result_as_it_was_stored() {
    let cli = Cli::with_shop().await;
    let id = cli.start(&["charge", "--id", "c-1"]);
    cli.sql(&ended(&id, "completed", "'{\"b\": 1.0,  \"a\": 2}'", "null")).await;
    assert_shown!(cli.run(&["start", "charge", "--id", "c-1", "--wait"]), @r#"
    exit status 0
    --- stdout
    {"b": 1.0,  "a": 2}
    --- stderr
    `c-1` was started before and is completed: nothing new was started
    "#);
    assert_shown!(cli.run(&["start", "charge", "--id", "c-1", "--wait", "--json"]), @r#"
    exit status 0
    --- stdout
    {
      "id": "[id]",
      "status": "completed",
      "result": {"b": 1.0,  "a": 2},
      "failure": null
    }
    --- stderr
    `c-1` was started before and is completed: nothing new was started
    "#);
}

#[tokio::test]
async fn waiting_for_a_failure_ends_with_one_and_shows_it() {
    let cli = Cli::with_shop().await;
    let id = cli.start(&["charge"]);
    let failure = r#"'{"code": "Declined", "message": "the card was declined", "details": "Traceback:\n  charge.rs:12\n  main.rs:3", "retryable": true}'"#;
    cli.sql(&ended(&id, "failed", "null", failure)).await;
    assert_shown!(cli.run(&["status", &id, "--wait"]), @"
    exit status 1
    --- stderr
    error: charge failed after 3 attempts ([id])
      code     Declined
      message  the card was declined
      details  Traceback:
                 charge.rs:12
                 main.rs:3
    hint: see what it did: currant history [id]
    hint: have it tried again: currant retry [id]
    ");
    assert_shown!(cli.run(&["status", &id, "--wait", "--json"]), @r#"
    exit status 1
    --- stdout
    {
      "id": "[id]",
      "status": "failed",
      "result": null,
      "failure": {
        "code": "Declined",
        "message": "the card was declined",
        "details": "Traceback:\n  charge.rs:12\n  main.rs:3",
        "retryable": true
      }
    }
    --- stderr
    error: charge failed after 3 attempts ([id])
      code     Declined
      message  the card was declined
      details  Traceback:
                 charge.rs:12
                 main.rs:3
    hint: see what it did: currant history [id]
    hint: have it tried again: currant retry [id]
    "#);
    assert_shown!(cli.run(&["status", &id]), @"
    exit status 0
    --- stdout
    id         [id]
    function   charge (task)
    status     failed
    queue      stripe-api
    attempt    3
    created    [time]
    started    [time]
    ended      [time], [length] after it was asked for
    input      null
    failure    code     Declined
               message  the card was declined
               details  Traceback:
                          charge.rs:12
                          main.rs:3
    ");
}

#[tokio::test]
async fn waiting_too_long_is_no_answer() {
    let cli = Cli::with_shop().await;
    assert_shown!(cli.run(&["start", "charge", "--wait", "--timeout", "50ms"]), @"
    exit status 3
    --- stderr
    started [id]
    error: the execution [id] has not ended within 50ms; it goes on
    hint: wait again: currant status [id] --wait
    ");
}

/// The end of a pending task, as its worker would write it after three attempts.
pub(crate) fn ended(id: &str, status: &str, result: &str, failure: &str) -> String {
    format!(
        "delete from currant.ready where id = '{id}';
         insert into currant.outcomes (id, status, kind, result, failure, attempt, run, started_at)
         values ('{id}', '{status}', 'task', {result}, {failure}, 3, 3, currant.now())"
    )
}
