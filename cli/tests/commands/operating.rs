//! Signals, cancellation and retries.

use crate::starting::ended;
use crate::{Cli, assert_shown};

const FAILURE: &str = r#"'{"code": "Declined", "message": "the card was declined"}'"#;

#[tokio::test]
async fn a_signal_is_sent_once_per_dedup_id() {
    let cli = Cli::with_shop().await;
    cli.start(&["checkout", "--id", "order-1"]);
    assert_shown!(cli.run(&["signal", "order-1", "approved", "--payload", "{\"by\": \"ada\"}", "--dedup-id", "x"]), @"
    exit status 0
    --- stderr
    sent `approved` to order-1
    ");
    assert_shown!(cli.run(&["signal", "order-1", "approved", "--dedup-id", "x"]), @"
    exit status 0
    --- stderr
    a signal with this dedup-id was sent to order-1 before: nothing was sent
    ");
    assert_shown!(cli.run(&["signal", "order-1", "approved", "--json"]), @r#"
    exit status 0
    --- stdout
    {
      "id": "[id]",
      "sent": true
    }
    "#);
}

#[tokio::test]
async fn a_signal_that_nobody_can_receive_is_refused() {
    let cli = Cli::with_shop().await;
    let task = cli.start(&["charge"]);
    assert_shown!(cli.run(&["signal", &task, "approved"]), @"
    exit status 1
    --- stderr
    error: execution [id] is a task: only workflows receive signals
    ");
    cli.start(&["checkout", "--id", "order-1"]);
    cli.run(&["cancel", "order-1"]);
    assert_shown!(cli.run(&["signal", "order-1", "approved"]), @"
    exit status 1
    --- stderr
    error: execution [id] is cancelled and receives no more signals
    ");
    assert_shown!(cli.run(&["signal", "order-1", "approved", "--payload", "yes"]), @r#"
    exit status 2
    --- stderr
    error: --payload is not JSON: expected value at line 1, column 1
        yes
        ^
    hint: a text needs its own quotes, within those of the shell: '"text"'
    "#);
}

#[tokio::test]
async fn what_has_not_begun_is_cancelled_and_what_runs_is_asked() {
    let cli = Cli::with_shop().await;
    cli.start(&["charge", "--id", "c-1"]);
    assert_shown!(cli.run(&["cancel", "c-1"]), @"
    exit status 0
    --- stderr
    c-1 is cancelled
    ");
    assert_shown!(cli.run(&["cancel", "c-1"]), @"
    exit status 0
    --- stderr
    c-1 is cancelled
    ");
    let id = cli.start(&["charge", "--id", "c-2"]);
    cli.sql(&format!(
        "delete from currant.ready where id = '{id}';
         insert into currant.running (id, run, worker_id, attempt, forgiven, losses, rate_limited, claimed_at, heartbeat_at)
         values ('{id}', 1, gen_random_uuid(), 1, 0, 0, 0, currant.now(), currant.now())"
    ))
    .await;
    assert_shown!(cli.run(&["cancel", "c-2"]), @"
    exit status 0
    --- stderr
    c-2 is asked to stop
    hint: wait for it: currant status c-2 --wait
    ");
    assert_shown!(cli.run(&["cancel", "c-2", "--json"]), @r#"
    exit status 0
    --- stdout
    {
      "id": "[id]",
      "answer": "requested"
    }
    "#);
}

#[tokio::test]
async fn what_failed_is_retried_and_what_completed_is_not() {
    let cli = Cli::with_shop().await;
    let id = cli.start(&["charge", "--id", "c-1"]);
    cli.sql(&ended(&id, "failed", "null", FAILURE)).await;
    assert_shown!(cli.run(&["retry", "c-1"]), @"
    exit status 0
    --- stderr
    c-1 is pending again
    hint: wait for it: currant status c-1 --wait
    ");
    assert_shown!(cli.run(&["retry", "c-1"]), @"
    exit status 1
    --- stderr
    error: execution [id] is pending: only what failed, was cancelled or timed out can be retried
    ");
    cli.sql(&ended(&id, "completed", "'1'", "null")).await;
    assert_shown!(cli.run(&["retry", "c-1"]), @"
    exit status 1
    --- stderr
    error: execution [id] is completed: only what failed, was cancelled or timed out can be retried
    ");
}

#[tokio::test]
async fn a_workflow_that_is_cancelled_may_be_cancelled_once_more() {
    let cli = Cli::with_shop().await;
    let id = cli.start(&["checkout", "--id", "order-1"]);
    cli.sql(&format!(
        "delete from currant.ready where id = '{id}'; update currant.workflows set waiting = true where id = '{id}'"
    ))
    .await;
    assert_shown!(cli.run(&["cancel", "order-1"]), @"
    exit status 0
    --- stderr
    order-1 is asked to stop
    hint: wait for it: currant status order-1 --wait
    hint: end it without letting it undo what it did: currant cancel order-1 once more
    ");
    assert_shown!(cli.run(&["cancel", "--function", "checkout", "--yes"]), @"
    exit status 0
    --- stderr
    nothing matches
    ");
    assert_shown!(cli.run(&["cancel", "order-1"]), @"
    exit status 0
    --- stderr
    order-1 is cancelled
    ");
}

#[tokio::test]
async fn a_retry_says_where_a_workflow_goes_on() {
    let cli = Cli::with_shop().await;
    let fails_after = async |id: &str, kind: &str| {
        cli.sql(&format!(
            "delete from currant.ready where id = '{id}';
             delete from currant.workflows where id = '{id}';
             delete from currant.journal where workflow_id = '{id}';
             insert into currant.journal (workflow_id, chain, position, run, sum, kind, operation, name, body, at)
             values ('{id}', 1, 0, 1, 0, 'started', null, null, '1', currant.now()), ('{id}', 1, 1, 1, 0, '{kind}', 1, 's', '1', currant.now());
             insert into currant.outcomes (id, status, kind, failure, attempt, run, chain)
             values ('{id}', 'failed', 'workflow', {FAILURE}, 1, 1, 1)"
        ))
        .await;
    };
    let id = cli.start(&["checkout", "--id", "order-1"]);
    fails_after(&id, "step-failed").await;
    assert_shown!(cli.run(&["retry", "order-1"]), @"
    exit status 0
    --- stderr
    order-1 is pending again, from before it failed: what failed is tried again
    hint: wait for it: currant status order-1 --wait
    ");
    fails_after(&id, "step").await;
    assert_shown!(cli.run(&["retry", "order-1"]), @"
    exit status 0
    --- stderr
    order-1 is pending again
    hint: wait for it: currant status order-1 --wait
    hint: its journal stands: if that leads to the same end, begin anew on the current version: currant retry order-1 --from-start
    ");
    fails_after(&id, "step").await;
    assert_shown!(cli.run(&["retry", "order-1", "--from-start", "--json"]), @r#"
    exit status 0
    --- stdout
    {
      "id": "[id]",
      "status": "pending",
      "goes_on": "anew"
    }
    "#);
}

#[tokio::test]
async fn an_external_operation_needs_a_token() {
    let cli = Cli::with_shop().await;
    assert_shown!(cli.run(&["complete", "nonsense"]), @"
    exit status 2
    --- stderr
    error: this is not a token of an external operation
    ");
    let token = format!("0199b7c2-6c1e-7e7a-b7f0-000000000001.1.1.{}", "a".repeat(32));
    assert_shown!(cli.run(&["fail", &token, "no"]), @"
    exit status 1
    --- stderr
    error: no open workflow waits for this token
    ");
    assert_shown!(cli.run(&["complete", &token, "--result", "yes"]), @r#"
    exit status 2
    --- stderr
    error: --result is not JSON: expected value at line 1, column 1
        yes
        ^
    hint: a text needs its own quotes, within those of the shell: '"text"'
    "#);
}

#[tokio::test]
async fn a_divergence_shows_both_sides() {
    let cli = Cli::with_shop().await;
    let id = cli.start(&["checkout", "--id", "order-1"]);
    let failure = r#"'{"code": "nondeterminism", "message": "replay diverged in workflow `checkout`", "details": {"position": 17,
        "recorded": "start task `charge`, input 9f2c41aa…", "called": "start task `ship`, input 51aa90c4…",
        "after": "step `pick`, position 16", "module": "4c1e", "likely_cause": "a branch on something that is not recorded"}}'"#;
    cli.sql(&ended(&id, "failed", "null", failure)).await;
    assert_shown!(cli.run(&["status", "order-1", "--wait"]), @"
    exit status 1
    --- stderr
    error: checkout failed after 3 attempts ([id])
      code         nondeterminism
      message      replay diverged in workflow `checkout`
      position     17
      recorded     start task `charge`, input 9f2c41aa…
      called       start task `ship`, input 51aa90c4…
      after        step `pick`, position 16
      module       sha256:4c1e (pinned)
      likely cause a branch on something that is not recorded
    hint: see what it did: currant history [id] --around 17
    hint: have it tried again: currant retry [id]
    ");
}

#[tokio::test]
async fn a_retry_names_the_newer_execution_that_has_the_key() {
    let cli = Cli::with_shop().await;
    let old = cli.start(&["charge", "--id", "c-1"]);
    cli.sql(&ended(&old, "failed", "null", FAILURE)).await;
    cli.start(&["charge", "--id", "c-1"]);
    assert_shown!(cli.run(&["retry", &old]), @"
    exit status 1
    --- stderr
    error: a newer execution, [id], has the task_id 'c-1' of [id]
    hint: retry that one
    ");
}

#[tokio::test]
async fn an_id_that_is_unknown_is_the_users_failure_everywhere() {
    let cli = Cli::new().await;
    for command in [
        vec!["status", "nobody"],
        vec!["history", "nobody"],
        vec!["logs", "nobody"],
        vec!["cancel", "nobody"],
        vec!["retry", "nobody"],
        vec!["signal", "nobody", "hello"],
    ] {
        insta::allow_duplicates! { assert_shown!(cli.run(&command), @"
        exit status 1
        --- stderr
        error: there is no execution with the id or task_id `nobody`
        hint: show what there is: currant list
        ") };
    }
}
