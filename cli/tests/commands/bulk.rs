//! Many at once: starting from a file, cancelling and retrying by filter, deleting by age.

use std::fs;

use crate::starting::ended;
use crate::{Cli, assert_shown};

const FAILURE: &str = r#"'{"code": "Declined", "message": "no"}'"#;

#[tokio::test]
async fn each_line_of_a_file_starts_one() {
    let cli = Cli::with_shop().await;
    let lines: String = (0..2_345).map(|number| format!("{{\"order\": {number}}}\n")).collect();
    fs::write(cli.folder.path().join("lines.jsonl"), &lines).unwrap();
    assert_shown!(cli.run(&["start", "charge", "--input-file", "lines.jsonl", "--tag", "nightly", "--priority", "3"]), @"
    exit status 0
    --- stderr
    started 2345
    hint: find them: currant list --tag nightly
    ");
    let (count, different): (i64, i64) = sqlx::query_as(
        "select count(*), count(distinct input ->> 'order') from currant.executions where 'nightly' = any (tags) and priority = 3",
    )
    .fetch_one(cli.database.pool())
    .await
    .unwrap();
    assert_eq!((count, different), (2_345, 2_345));
    assert_shown!(cli.run_with(&["start", "charge", "--input-file", "-", "--json"], "1\n2\n3"), @r#"
    exit status 0
    --- stdout
    {
      "started": 3
    }
    "#);
    assert_shown!(cli.run(&["start", "charge", "--input-file", "lines.jsonl", "--skip", "2340"]), @"
    exit status 0
    --- stderr
    started 5
    ");
}

#[tokio::test]
async fn a_file_with_a_wrong_line_starts_nothing() {
    let cli = Cli::with_shop().await;
    fs::write(cli.folder.path().join("lines.jsonl"), "1\n{\"order\": }\n3\n").unwrap();
    assert_shown!(cli.run(&["start", "charge", "--input-file", "lines.jsonl"]), @r#"
    exit status 2
    --- stderr
    error: line 2 of lines.jsonl is not JSON: expected value at line 1, column 11
        {"order": }
                  ^
    "#);
    assert_shown!(cli.run(&["start", "charge", "--input-file", "nowhere.jsonl"]), @"
    exit status 2
    --- stderr
    error: cannot read nowhere.jsonl: No such file or directory (os error 2)
    ");
    assert_shown!(cli.run(&["start", "charge", "--input-file", "lines.jsonl", "--id", "x"]), @"
    exit status 2
    --- stderr
    error: the argument '--input-file <FILE>' cannot be used with '--id <KEY>'

    Usage: currant start --input-file <FILE> <FUNCTION>

    For more information, try '--help'.
    ");
    let count: i64 = sqlx::query_scalar("select count(*) from currant.requests").fetch_one(cli.database.pool()).await.unwrap();
    assert_eq!(count, 0);
}

#[tokio::test]
async fn what_matches_is_cancelled_once_that_is_confirmed() {
    let cli = Cli::with_shop().await;
    for number in 0..3 {
        cli.start(&["charge", "--tag", "nightly", "--input", &number.to_string()]);
    }
    cli.start(&["checkout", "--id", "order-1"]);
    assert_shown!(cli.run(&["cancel", "--tag", "nightly", "--dry-run"]), @"
    exit status 0
    --- stderr
    would cancel 3 executions
    ");
    assert_shown!(cli.run(&["cancel", "--tag", "nightly"]), @"
    exit status 2
    --- stderr
    error: cancel 3 executions? nobody can be asked
    hint: say --yes, or look first with --dry-run
    ");
    assert_shown!(cli.run(&["cancel", "--tag", "nightly", "--yes"]), @"
    exit status 0
    --- stderr
    3 cancelled
    ");
    assert_shown!(cli.run(&["cancel", "--tag", "nightly", "--yes", "--json"]), @r#"
    exit status 0
    --- stdout
    {
      "found": 0,
      "answers": {}
    }
    "#);
    assert_shown!(cli.run(&["cancel", "--status", "completed", "--yes"]), @"
    exit status 2
    --- stderr
    error: what is completed cannot be cancelled
    hint: --status is one of pending, running, suspended
    ");
    assert_shown!(cli.run(&["cancel"]), @"
    exit status 2
    --- stderr
    error: the following required arguments were not provided:
      <ID>

    Usage: currant cancel <ID>

    For more information, try '--help'.
    ");
    assert_shown!(cli.run(&["list", "--status", "pending"]), @"
    exit status 0
    --- stdout
    ID                                    FUNCTION  STATUS   ATTEMPT  QUEUE    CREATED               TASK_ID
    [id]  checkout  pending  1        default  [time]  order-1
    ");
}

#[tokio::test]
async fn what_matches_is_retried_and_who_has_lost_its_key_is_left_alone() {
    let cli = Cli::with_shop().await;
    let old = cli.start(&["charge", "--id", "c-1"]);
    cli.sql(&ended(&old, "failed", "null", FAILURE)).await;
    let newer = cli.start(&["charge", "--id", "c-1"]);
    cli.sql(&ended(&newer, "failed", "null", FAILURE)).await;
    assert_shown!(cli.run(&["retry", "--status", "failed", "--function", "charge", "--dry-run", "--json"]), @r#"
    exit status 0
    --- stdout
    {
      "found": 2,
      "dry_run": true
    }
    "#);
    assert_shown!(cli.run(&["retry", "--status", "failed", "--function", "charge", "--yes"]), @"
    exit status 0
    --- stderr
    1 left alone: they have changed meanwhile, or a newer execution has their key, 1 pending again
    ");
}

#[tokio::test]
async fn what_is_old_is_deleted_by_hand() {
    let cli = Cli::with_shop().await;
    for _ in 0..3 {
        let id = cli.start(&["charge"]);
        cli.sql(&ended(&id, "failed", "null", FAILURE)).await;
    }
    cli.start(&["charge"]);
    assert_shown!(cli.run(&["cleanup", "--older-than", "1h", "--dry-run"]), @"
    exit status 0
    --- stderr
    would delete 0 executions
    ");
    cli.database.clock().advance(std::time::Duration::from_secs(7_200)).await;
    assert_shown!(cli.run(&["cleanup", "--older-than", "1h", "--status", "failed", "--queue", "stripe-api", "--dry-run"]), @"
    exit status 0
    --- stderr
    would delete 3 executions
    ");
    assert_shown!(cli.run(&["cleanup", "--older-than", "1h"]), @"
    exit status 2
    --- stderr
    error: delete 3 executions for ever? nobody can be asked
    hint: say --yes, or look first with --dry-run
    ");
    assert_shown!(cli.run(&["cleanup", "--older-than", "1h", "--yes"]), @"
    exit status 0
    --- stderr
    deleted 3 executions
    ");
    assert_shown!(cli.run(&["cleanup", "--older-than", "1h", "--yes", "--json"]), @r#"
    exit status 0
    --- stdout
    {
      "deleted": 0
    }
    "#);
    assert_shown!(cli.run(&["cleanup", "--status", "pending"]), @"
    exit status 2
    --- stderr
    error: what is pending has not ended, and is not deleted
    hint: --status is one of completed, failed, cancelled, timed_out
    ");
}
