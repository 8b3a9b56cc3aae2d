//! Queues: what is shown of them, their settings, their pauses.

use crate::{Cli, assert_shown};

#[tokio::test]
async fn queues_are_paused_and_resumed() {
    let cli = Cli::with_shop().await;
    assert_shown!(cli.run(&["queues"]), @"
    exit status 0
    --- stdout
    QUEUE       STATE  PENDING  RUNNING  LIMITS  OLDEST PENDING
    default     open   0        0
    stripe-api  open   0        0
    ");
    cli.start(&["charge"]);
    assert_shown!(cli.run(&["queues", "pause", "stripe-api"]), @"
    exit status 0
    --- stderr
    stripe-api is paused
    hint: end the pause: currant queues resume stripe-api
    ");
    assert_shown!(cli.run(&["queues", "list"]), @"
    exit status 0
    --- stdout
    QUEUE       STATE   PENDING  RUNNING  LIMITS  OLDEST PENDING
    default     open    0        0
    stripe-api  paused  1        0                for [length], since [time]
    ");
    assert_shown!(cli.run(&["queues", "resume", "stripe-api", "--json"]), @r#"
    exit status 0
    --- stdout
    {
      "name": "stripe-api",
      "paused": false
    }
    "#);
    assert_shown!(cli.run(&["queues", "pause", "No Queue"]), @"
    exit status 2
    --- stderr
    error: invalid value 'No Queue' for '<NAME>': `No Queue` is not a valid queue name: it has 1 to 100 of a-z 0-9 _ . -

    For more information, try '--help'.
    ");
}

#[tokio::test]
async fn settings_are_set_shown_and_reset() {
    let cli = Cli::with_shop().await;
    assert_shown!(cli.run(&["queues", "set", "mail", "rate_limit=100/s", "concurrency_per_key=1", "retention=12h", "retention_failed=forever"]), @"
    exit status 0
    --- stdout
    mail is open: 0 pending, 0 running
    SETTING              VALUE                           FROM
    rate_limit           100/sec                         command
    burst                one second's worth, at least 1  default
    concurrency          none                            default
    concurrency_per_key  1                               command
    retention_tasks      12h                             command
    retention_workflows  12h                             command
    retention_failed     forever                         command
    retention_cancelled  as long as the others           default
    ");
    assert_shown!(cli.run(&["queues"]), @"
    exit status 0
    --- stdout
    QUEUE       STATE  PENDING  RUNNING  LIMITS                      OLDEST PENDING
    default     open   0        0
    mail        open   0        0        100/sec, 1 at once per key
    stripe-api  open   0        0
    ");
    assert_shown!(cli.run(&["queues", "set", "mail", "rate_limit=none"]), @"
    exit status 0
    --- stdout
    mail is open: 0 pending, 0 running
    SETTING              VALUE                           FROM
    rate_limit           none                            command
    burst                one second's worth, at least 1  default
    concurrency          none                            default
    concurrency_per_key  1                               command
    retention_tasks      12h                             command
    retention_workflows  12h                             command
    retention_failed     forever                         command
    retention_cancelled  as long as the others           default
    ");
    assert_shown!(cli.run(&["queues", "reset", "mail"]), @"
    exit status 0
    --- stdout
    mail is open: 0 pending, 0 running
    SETTING              VALUE                           FROM
    rate_limit           none                            default
    burst                one second's worth, at least 1  default
    concurrency          none                            default
    concurrency_per_key  none                            default
    retention_tasks      7d                              default
    retention_workflows  30d                             default
    retention_failed     as long as the others           default
    retention_cancelled  as long as the others           default
    ");
    assert_shown!(cli.run(&["queues", "show", "mail", "--json"]), @r#"
    exit status 0
    --- stdout
    {
      "name": "mail",
      "paused": false,
      "pending": 0,
      "running": 0,
      "oldest": null,
      "oldest_age_ms": null,
      "settings": {
        "rate_limit": {
          "value": "none",
          "origin": "default"
        },
        "burst": {
          "value": "one second's worth, at least 1",
          "origin": "default"
        },
        "concurrency": {
          "value": "none",
          "origin": "default"
        },
        "concurrency_per_key": {
          "value": "none",
          "origin": "default"
        },
        "retention_tasks": {
          "value": "7d",
          "origin": "default"
        },
        "retention_workflows": {
          "value": "30d",
          "origin": "default"
        },
        "retention_failed": {
          "value": "as long as the others",
          "origin": "default"
        },
        "retention_cancelled": {
          "value": "as long as the others",
          "origin": "default"
        }
      }
    }
    "#);
}

#[tokio::test]
async fn a_setting_that_is_wrong_says_what_is_right() {
    let cli = Cli::with_shop().await;
    assert_shown!(cli.run(&["queues", "set", "mail", "rate=1/sec"]), @"
    exit status 2
    --- stderr
    error: there is no setting `rate` of queues: did you mean `rate_limit`?
    ");
    assert_shown!(cli.run(&["queues", "set", "mail", "rate_limit=often"]), @"
    exit status 2
    --- stderr
    error: `often` is not a rate; write for example 100/sec, 1000/min or 5/hour
    ");
    assert_shown!(cli.run(&["queues", "set", "mail", "rate_limit"]), @"
    exit status 2
    --- stderr
    error: `rate_limit` sets nothing
    hint: write for example rate_limit=100/sec
    ");
    assert_shown!(cli.run(&["queues", "set", "mail", "retention_tasks=none"]), @"
    exit status 2
    --- stderr
    error: retention_tasks cannot be none: write `forever`, or `0` for the next pass
    ");
    assert_shown!(cli.run(&["queues", "reset", "mail", "speed"]), @"
    exit status 2
    --- stderr
    error: there is no setting `speed` of queues; there are rate_limit, burst, concurrency, concurrency_per_key, retention_tasks, retention_workflows, retention_failed, retention_cancelled
    ");
    assert_shown!(cli.run(&["queues", "reset", "mail"]), @"
    exit status 1
    --- stderr
    error: there is no queue 'mail'
    ");
    assert_shown!(cli.run(&["queues", "show", "mail"]), @"
    exit status 1
    --- stderr
    error: there is no queue `mail`
    hint: show what there is: currant queues
    ");
}
