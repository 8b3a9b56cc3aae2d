//! Schedules, as they are made, shown and changed by hand.

use crate::{Cli, assert_shown};

#[tokio::test]
async fn a_schedule_is_made_shown_paused_and_deleted() {
    let cli = Cli::with_shop().await;
    assert_shown!(cli.run(&["schedules"]), @"
    exit status 0
    --- stderr
    there is none: make one with `currant schedules create`
    ");
    assert_shown!(cli.run(&["schedules", "create", "nightly", "charge", "--cron", "30 2 * * *", "--timezone", "Europe/Berlin", "--overlap", "queue"]), @"
    exit status 0
    --- stderr
    nightly is made: its next time is [time]
    ");
    assert_shown!(cli.run(&["schedules", "create", "nightly", "charge", "--cron", "0 3 * * *"]), @"
    exit status 1
    --- stderr
    error: there is a schedule `nightly`
    hint: change it with --replace, or choose another name
    ");
    assert_shown!(cli.run(&["schedules", "create", "nightly", "charge", "--cron", "0 3 * * *", "--jitter", "10m", "--replace", "--json"]), @r#"
    exit status 0
    --- stdout
    {
      "name": "nightly",
      "next_at": "[time]"
    }
    "#);
    assert_shown!(cli.run(&["schedules", "list"]), @"
    exit status 0
    --- stdout
    SCHEDULE  CRON       ZONE  FUNCTION  OVERLAP  LAST  NEXT
    nightly   0 3 * * *  UTC   charge    skip           [time] + 10m00s
    ");
    assert_shown!(cli.run(&["schedules", "pause", "nightly"]), @"
    exit status 0
    --- stderr
    nightly is paused
    ");
    assert_shown!(cli.run(&["schedules"]), @"
    exit status 0
    --- stdout
    SCHEDULE  CRON       ZONE  FUNCTION  OVERLAP  LAST  NEXT
    nightly   0 3 * * *  UTC   charge    skip           paused
    ");
    assert_shown!(cli.run(&["schedules", "resume", "nightly"]), @"
    exit status 0
    --- stderr
    nightly is resumed: its next time is [time]
    ");
    assert_shown!(cli.run(&["schedules", "trigger", "nightly"]), @"
    exit status 0
    --- stdout
    [id]
    ");
    assert_shown!(cli.run(&["schedules", "delete", "nightly"]), @"
    exit status 0
    --- stderr
    nightly is deleted; what it started goes on
    ");
    assert_shown!(cli.run(&["schedules", "delete", "nightly"]), @"
    exit status 1
    --- stderr
    error: there is no schedule `nightly`
    ");
}

#[tokio::test]
async fn what_is_wrong_with_a_schedule_is_said() {
    let cli = Cli::with_shop().await;
    assert_shown!(cli.run(&["schedules", "create", "x", "charge", "--cron", "61 * * * *"]), @"
    exit status 2
    --- stderr
    error: `61 * * * *` is not a cron expression: number out of bounds; write minute hour day month weekday, for example `0 9 * * mon-fri`
    ");
    assert_shown!(cli.run(&["schedules", "create", "x", "charge", "--cron", "0 3 * * *", "--timezone", "Berlin"]), @"
    exit status 2
    --- stderr
    error: `Berlin` is not a time zone; write for example UTC or Europe/Berlin
    ");
    assert_shown!(cli.run(&["schedules", "create", "x", "chrage", "--cron", "0 3 * * *"]), @"
    exit status 1
    --- stderr
    error: nothing that is deployed offers a function `chrage`
    hint: did you mean `charge`?
    hint: show what is offered: currant functions
    hint: deploy the module that has it: currant deploy MODULE.wasm; or let it wait for that: currant start chrage --parked
    ");
    assert_shown!(cli.run(&["schedules", "create", "x", "charge", "--cron", "0 0 30 2 *"]), @"
    exit status 2
    --- stderr
    error: `0 0 30 2 *` never comes
    ");
    assert_shown!(cli.run(&["schedules", "trigger", "nowhere"]), @"
    exit status 1
    --- stderr
    error: there is no schedule 'nowhere'
    ");
}

#[tokio::test]
async fn past_times_are_filled_in() {
    let cli = Cli::with_shop().await;
    cli.run(&["schedules", "create", "nightly", "charge", "--cron", "0 3 * * *"]);
    let span = ["--from", "2026-01-01T00:00:00Z", "--to", "2026-01-03T03:00:00Z"];
    assert_shown!(cli.run(&[&["schedules", "backfill", "nightly", "--dry-run", "--json"], &span[..]].concat()), @r#"
    exit status 0
    --- stdout
    {
      "name": "nightly",
      "times": [
        "[time]",
        "[time]",
        "[time]"
      ]
    }
    --- stderr
    3 times
    "#);
    assert_shown!(cli.run(&[&["schedules", "backfill", "nightly"], &span[..]].concat()), @"
    exit status 2
    --- stderr
    error: start nightly for 3 times? nobody can be asked
    hint: say --yes, or look first with --dry-run
    ");
    assert_shown!(cli.run(&[&["schedules", "backfill", "nightly", "--yes"], &span[..]].concat()), @"
    exit status 0
    --- stderr
    3 started
    ");
    assert_shown!(cli.run(&[&["schedules", "backfill", "nightly", "--yes"], &span[..]].concat()), @"
    exit status 0
    --- stderr
    3 fired before
    ");
}
