//! Limits of queues: how many at once, how many in a time; and that they hold back nothing but what they are for.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use currant_core::executions::NewExecution;
use currant_core::executions::claim::{Claimed, Look, claim, claim_limited};
use currant_core::executions::commit::{Fate, WorkflowWrites, commit};
use currant_core::ids::{ExecutionId, QueueName};
use currant_core::queues::QueueSettings;
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::world::{World, activation, asked, completes, decides, json, suspends, waits};

fn named(queue: &str) -> QueueName {
    QueueName::parse(queue).unwrap()
}

impl World {
    pub(crate) async fn set(&self, queue: &str, settings: &[(&str, &str)]) {
        let mut said = QueueSettings::default();
        for (name, value) in settings {
            said.set(name, value).unwrap();
        }
        self.client.configure_queue(&named(queue), &said).await.unwrap();
    }

    async fn start_many(&self, queue: &str, count: usize) {
        sqlx::query("select currant.enqueue_many('charge', array_fill('1'::json, array[$2]), queue => $1)")
            .bind(queue)
            .bind(count as i32)
            .execute(self.pool())
            .await
            .unwrap();
    }

    async fn start_keyed(&self, queue: &str, key: &str) -> ExecutionId {
        let new = NewExecution { queue: Some(named(queue)), concurrency_key: Some(key.into()), ..asked("charge") };
        self.enqueue(new).await.id
    }

    /// How long nothing more can be claimed from this queue.
    async fn held_for(&self, queue: &str) -> Duration {
        let claims = claim_limited(self.pool(), self.worker, &[queue.into()], 10, &Look::Everywhere).await.unwrap();
        assert!(claims.claimed.is_empty(), "{claims:?}");
        claims.held_back[0].1
    }
}

#[tokio::test]
async fn a_queue_runs_as_many_at_once_as_it_may() {
    let world = World::new().await;
    world.set("mail", &[("concurrency", "2")]).await;
    world.start_many("mail", 5).await;
    let first = world.claim(10).await;
    assert_eq!(first.len(), 2, "{first:?}");
    assert!(world.claim(10).await.is_empty());
    assert_eq!(world.held_for("mail").await, Duration::from_millis(500));
    world.written(completes(&first[0], "1")).await;
    assert_eq!(world.claim(10).await.len(), 1);
    world.set("mail", &[("concurrency", "4")]).await;
    assert_eq!(world.claim(10).await.len(), 2, "a change holds at once");
    world.set("mail", &[("concurrency", "none")]).await;
    world.start_many("mail", 3).await;
    assert_eq!(world.claim(10).await.len(), 3);
}

/// What ran before there was a limit counts too.
#[tokio::test]
async fn a_limit_counts_what_runs_already() {
    let world = World::new().await;
    world.start_many("mail", 4).await;
    assert_eq!(world.claim(3).await.len(), 3);
    world.set("mail", &[("concurrency", "3")]).await;
    assert!(world.claim(10).await.is_empty());
}

/// Four workers claim and complete as fast as they can; a fifth connection counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_at_once_never_exceed_a_limit() {
    let world = World::new().await;
    world.set("mail", &[("concurrency", "3"), ("concurrency_per_key", "1")]).await;
    for number in 0..120 {
        world.start_keyed("mail", &format!("customer-{}", number % 5)).await;
    }
    let mut working = Vec::new();
    for _ in 0..4 {
        let (pool, worker) = (world.pool().clone(), world.another_worker().await);
        working.push(tokio::spawn(async move {
            let mut connection = pool.acquire().await.unwrap();
            let mut done = 0;
            loop {
                let claims = claim_limited(&pool, worker, &["mail".into()], 5, &Look::Everywhere).await.unwrap();
                for run in &claims.claimed {
                    // What is counted here was committed by others before: never more than the limit, whoever looks and whenever.
                    let (all, of_key): (i64, i64) = sqlx::query_as(
                        "select count(*), count(*) filter (where request.concurrency_key = own.concurrency_key)
                         from currant.running join currant.requests request on request.id = running.id
                         cross join (select concurrency_key from currant.requests where id = $1) as own",
                    )
                    .bind(run.id)
                    .fetch_one(&mut *connection)
                    .await
                    .unwrap();
                    assert!(all <= 3 && of_key == 1, "{all} at once, {of_key} of one key");
                    commit(&mut connection, &[completes(run, "1")]).await.unwrap();
                    done += 1;
                }
                let left: i64 = sqlx::query_scalar("select count(*) from currant.ready").fetch_one(&pool).await.unwrap();
                if left == 0 {
                    return done;
                }
            }
        }));
    }
    let mut done = 0;
    for working in working {
        done += working.await.unwrap();
    }
    assert_eq!(done, 120);
}

#[tokio::test]
async fn a_key_holds_back_its_own_and_nothing_else() {
    let world = World::new().await;
    world.set("mail", &[("concurrency_per_key", "1")]).await;
    let ada = world.start_keyed("mail", "ada").await;
    world.start_keyed("mail", "ada").await;
    let bob = world.start_keyed("mail", "bob").await;
    let new = NewExecution { queue: Some(named("mail")), ..asked("charge") };
    let keyless = [world.enqueue(new.clone()).await.id, world.enqueue(new).await.id];
    let claimed: Vec<_> = world.claim(10).await;
    assert_eq!(claimed.iter().map(|run| run.id).collect::<Vec<_>>(), [ada, bob, keyless[0], keyless[1]]);
    assert!(world.claim(10).await.is_empty());
    world.written(completes(&claimed[0], "1")).await;
    assert_eq!(world.claim(10).await.len(), 1);
}

/// More of one key than are looked at in one go stand before the others.
#[tokio::test]
async fn a_long_line_of_one_key_hides_no_other() {
    let world = World::new().await;
    world.set("mail", &[("concurrency_per_key", "2")]).await;
    world.start_many("mail", 2_500).await;
    world.pool().execute("update currant.ready set concurrency_key = 'ada'").await.unwrap();
    world.pool().execute("update currant.requests set concurrency_key = 'ada'").await.unwrap();
    let hidden = [world.start_keyed("mail", "bob").await, world.start_keyed("mail", "cleo").await];
    let claimed: Vec<_> = world.claim(10).await.iter().map(|run| run.id).collect();
    assert_eq!(claimed.len(), 4, "two of ada, and the others");
    assert!(hidden.iter().all(|id| claimed.contains(id)));
    assert!(world.claim(10).await.is_empty());
}

/// Otherwise a parent and its child in one queue would wait for each other.
#[tokio::test]
async fn a_workflow_that_waits_counts_not() {
    let world = World::new().await;
    world.set("default", &[("concurrency", "1")]).await;
    let parent = world.run("checkout").await;
    world.written(suspends(&parent)).await;
    let other = world.start("charge").await;
    let other = world.claimed(other).await;
    world.client.signal(&parent.id, "go", &json("1"), None).await.unwrap();
    assert!(world.claim(10).await.is_empty(), "what goes on counts when it runs");
    world.written(completes(&other, "1")).await;
    world.claimed(parent.id).await;
}

#[tokio::test]
async fn a_wake_takes_no_token_and_waits_for_none() {
    let world = World::new().await;
    world.set("default", &[("rate_limit", "1/hour")]).await;
    let parent = world.run("checkout").await;
    world.written(suspends(&parent)).await;
    world.start_many("default", 3).await;
    assert!(world.claim(10).await.is_empty());
    world.client.signal(&parent.id, "go", &json("1"), None).await.unwrap();
    let parent = world.claimed(parent.id).await;
    let delivered = WorkflowWrites { delivered: vec![1], ..Default::default() };
    world.written(decides(&parent, delivered, waits(1))).await;
    world.client.pause_queue(&named("default")).await.unwrap();
    world.client.signal(&parent.id, "go", &json("1"), None).await.unwrap();
    world.claimed(parent.id).await;
    world.advance(3_600).await;
    assert!(world.claim(10).await.is_empty(), "the pause holds the others back");
    world.client.resume_queue(&named("default")).await.unwrap();
    assert_eq!(world.claim(10).await.len(), 1);
}

#[tokio::test]
async fn tokens_come_back_with_time_and_a_bucket_holds_its_burst() {
    let world = World::new().await;
    world.set("mail", &[("rate_limit", "60/min"), ("burst", "5")]).await;
    world.start_many("mail", 100).await;
    assert_eq!(world.claim(50).await.len(), 5);
    assert!(world.claim(50).await.is_empty());
    let held = world.held_for("mail").await;
    assert!(held <= Duration::from_secs(1) && held > Duration::from_millis(500), "{held:?}");
    world.advance(2).await;
    assert_eq!(world.claim(50).await.len(), 2);
    world.advance(3_600).await;
    assert_eq!(world.claim(50).await.len(), 5, "never more than the bucket holds");
    world.set("mail", &[("burst", "20")]).await;
    assert!(world.claim(50).await.is_empty(), "a bigger bucket is not a full one");
    world.set("mail", &[("rate_limit", "600/min")]).await;
    world.advance(1).await;
    assert_eq!(world.claim(50).await.len(), 10);
}

/// Goal: in any window w the claims are at most rate × w + burst. Method: time passes in odd steps and two workers claim; then every window that
/// begins and ends with a claim is looked at.
#[tokio::test]
async fn no_window_sees_more_than_its_rate_and_a_bucket() {
    let world = World::new().await;
    let (rate, burst) = (7.0, 4.0);
    world.set("mail", &[("rate_limit", "7/sec"), ("burst", "4")]).await;
    world.start_many("mail", 200).await;
    let other = world.another_worker().await;
    for step in 1..60u64 {
        world.database.clock().advance(Duration::from_millis(step * 37 % 700)).await;
        world.renew(other).await;
        world.claim_for(if step % 2 == 0 { other } else { world.worker }, step as u32 % 9 + 1).await;
    }
    let claims: Vec<DateTime<Utc>> =
        sqlx::query_scalar("select claimed_at from currant.running order by claimed_at").fetch_all(world.pool()).await.unwrap();
    let mut most: f64 = 0.0;
    for (first, from) in claims.iter().enumerate() {
        for (last, to) in claims.iter().enumerate().skip(first) {
            let window = (*to - *from).num_microseconds().unwrap() as f64 / 1e6;
            let share = (last - first + 1) as f64 / (rate * window + burst);
            assert!(share <= 1.0 + 1e-6, "{} claims in {window} s", last - first + 1);
            most = most.max(share);
        }
    }
    assert!(claims.len() > 100 && most > 0.95, "what may be claimed is claimed: {} claims, {most}", claims.len());
}

#[tokio::test]
async fn a_task_that_is_rate_limited_pauses_its_queue_and_loses_no_attempt() {
    let world = World::new().await;
    world.set("mail", &[("rate_limit", "10/sec")]).await;
    world.start_many("mail", 20).await;
    let claimed = world.claim(10).await;
    assert_eq!(claimed.len(), 10);
    let of = |run: &Claimed| activation(run, Fate::RateLimited { after_ms: 30_000 });
    world.written(of(&claimed[0])).await;
    world.advance(10).await;
    assert!(world.claim(20).await.is_empty(), "the others wait too");
    let held = world.held_for("mail").await;
    assert!(held > Duration::from_secs(15) && held <= Duration::from_secs(20), "{held:?}");
    world.advance(20).await;
    let again = world.claim(20).await;
    assert_eq!(again.len(), 10, "they take tokens, like all");
    world.advance(1).await;
    let last = world.claim(20).await;
    let run = again.iter().chain(&last).find(|run| run.id == claimed[0].id).expect("it is claimed again");
    assert_eq!((run.attempt, run.run, run.rate_limited), (1, 2, 1));
}

#[tokio::test]
async fn in_a_queue_without_a_rate_limit_only_the_task_itself_waits() {
    let world = World::new().await;
    world.start_many("mail", 2).await;
    let run = world.claim(1).await.remove(0);
    world.written(activation(&run, Fate::RateLimited { after_ms: 30_000 })).await;
    assert_eq!(world.claim(10).await.len(), 1);
    world.advance(30).await;
    world.claimed(run.id).await;
}

/// A hundred queues that are limited, paused, full or empty of tokens, with work in each, beside one that is none of it.
#[tokio::test]
async fn a_queue_that_is_held_back_delays_no_other() {
    let world = World::new().await;
    for number in 0..100 {
        let queue = format!("queue-{number}");
        let settings: &[(&str, &str)] = match number % 4 {
            0 => &[("concurrency", "1")],
            1 => &[("rate_limit", "1/day")],
            2 => &[("concurrency_per_key", "1")],
            _ => &[],
        };
        world.set(&queue, settings).await;
        for _ in 0..3 {
            world.start_keyed(&queue, "ada").await;
        }
        if number % 4 == 3 {
            world.client.pause_queue(&named(&queue)).await.unwrap();
        }
    }
    assert_eq!(world.claim(200).await.len(), 75);
    let free = world.start("charge").await;
    let claims = claim(world.pool(), world.worker, None, 50, &Look::Everywhere).await.unwrap();
    assert_eq!(claims.claimed.iter().map(|run| run.id).collect::<Vec<_>>(), [free], "in one statement, as if it were alone");
    assert!(!claims.contended);
    // Also while all of them are locked by somebody who does not let go.
    let mut other = world.database.connect().await;
    let mut holding = other.begin().await.unwrap();
    holding.execute("select from currant.queues where limited for update").await.unwrap();
    let free = world.start("charge").await;
    world.claimed(free).await;
    holding.rollback().await.unwrap();
}

/// Names are locked in their order, and nobody waits for one: whoever claims from two queues cannot meet another in a circle.
#[tokio::test]
async fn a_queue_that_another_claims_from_is_left_to_it() {
    let world = World::new().await;
    world.set("mail", &[("concurrency", "5")]).await;
    world.set("media", &[("concurrency", "5")]).await;
    world.start_many("mail", 1).await;
    world.start_many("media", 1).await;
    let mut other = world.database.connect().await;
    let mut claiming = other.begin().await.unwrap();
    claiming.execute("select from currant.queues where name = 'mail' for no key update").await.unwrap();
    let claims =
        claim_limited(world.pool(), world.worker, &["mail".into(), "media".into()], 10, &Look::Everywhere).await.unwrap();
    assert_eq!(claims.claimed.iter().map(|run| run.queue.as_str()).collect::<Vec<_>>(), ["media"]);
    assert_eq!(claims.held_back, [("mail".to_string(), Duration::from_millis(10))]);
    claiming.rollback().await.unwrap();
    assert_eq!(world.claim(10).await.len(), 1);
}

#[tokio::test]
async fn a_worker_without_a_lease_takes_no_token() {
    let world = World::new().await;
    world.set("mail", &[("rate_limit", "1/hour")]).await;
    world.start_many("mail", 1).await;
    let late = world.another_worker().await;
    world.advance(16).await;
    assert!(world.claim_for(late, 10).await.is_empty());
    assert_eq!(world.claim(10).await.len(), 1);
}

#[tokio::test]
async fn priority_holds_within_a_limit() {
    let world = World::new().await;
    world.set("mail", &[("rate_limit", "1/hour"), ("burst", "3")]).await;
    let mut ids = BTreeMap::new();
    for priority in [0, 9, -4, 5] {
        let new = NewExecution { queue: Some(named("mail")), priority: Some(priority), ..asked("charge") };
        ids.insert(priority, world.enqueue(new).await.id);
    }
    let claimed: Vec<_> = world.claim(10).await.iter().map(|run| run.id).collect();
    assert_eq!(claimed, [ids[&9], ids[&5], ids[&0]]);
}

#[tokio::test]
async fn what_is_not_yet_due_is_not_counted_as_waiting() {
    let world = World::new().await;
    world.set("mail", &[("concurrency", "1")]).await;
    let new = NewExecution { queue: Some(named("mail")), delay_ms: Some(60_000), ..asked("charge") };
    let id = world.enqueue(new).await.id;
    let claims = claim(world.pool(), world.worker, None, 5, &Look::Everywhere).await.unwrap();
    assert!(claims.limited.is_empty());
    assert!(claims.next.is_some_and(|next| next > Duration::from_secs(50)), "{:?}", claims.next);
    world.advance(60).await;
    world.claimed(id).await;
}

#[tokio::test]
async fn a_child_waits_in_its_own_queue_and_for_its_own_limit() {
    let world = World::new().await;
    world.set("mail", &[("concurrency", "1")]).await;
    let parent = world.run("checkout").await;
    let mut children = vec![crate::world::child(&parent, 1, "charge"), crate::world::child(&parent, 2, "charge")];
    for child in &mut children {
        child.options.queue = Some(named("mail"));
    }
    world.written(crate::world::starts(&parent, children)).await;
    let claimed = world.claim(10).await;
    assert_eq!(claimed.iter().map(|run| run.queue.as_str()).collect::<Vec<_>>(), ["mail"]);
    world.written(completes(&claimed[0], "1")).await;
    let mut next: Vec<_> = world.claim(10).await.iter().map(|run| run.queue.to_string()).collect();
    next.sort_unstable();
    assert_eq!(next, ["default", "mail"], "the parent is woken, its queue has no limit");
}

#[tokio::test]
async fn sql_sets_every_limit_and_refuses_what_is_wrong() {
    let world = World::new().await;
    let call = async |arguments: &str| {
        let call = AssertSqlSafe(format!("select currant.configure_queue('mail', {arguments})"));
        sqlx::query(call).execute(world.pool()).await.map_err(|error| currant_core::Error::from(error).to_string())
    };
    call("rate_limit => '1000 / Minute', burst => 3, concurrency => 2, concurrency_per_key => 1, retention_tasks => '7 days'")
        .await
        .unwrap();
    let set: (String, f64, i32, i32, serde_json::Value) = sqlx::query_as(
        "select rate_limit, bucket_size, concurrency, concurrency_per_key, command_settings -> 'retention_tasks' from currant.queues
         where name = 'mail'",
    )
    .fetch_one(world.pool())
    .await
    .unwrap();
    assert_eq!(set, ("1000/min".into(), 3.0, 2, 1, 604_800_000.into()));
    assert_eq!(call("rate_limit => 'often'").await.unwrap_err(), "'often' is not a rate");
    assert_eq!(call("concurrency => 0").await.unwrap_err(), "burst, concurrency and concurrency_per_key are at least 1");
    assert_eq!(call("without => '{speed}'").await.unwrap_err(), "'speed' is not a setting of queues");
    assert_eq!(call("retention_failed => '-1 day'").await.unwrap_err(), "retention must not be negative");
}

/// What was held back stands before what was claimed last: a claim that looks from there on must not overlook it.
#[tokio::test]
async fn a_key_is_served_in_order_when_others_were_claimed_meanwhile() {
    let world = World::new().await;
    world.set("mail", &[("concurrency_per_key", "1")]).await;
    let ada = [
        world.start_keyed("mail", "ada").await,
        world.start_keyed("mail", "ada").await,
        world.start_keyed("mail", "ada").await,
    ];
    world.advance(10).await;
    let bob = world.start_keyed("mail", "bob").await;
    let late = world.start_keyed("mail", "ada").await;
    let claims = claim_limited(world.pool(), world.worker, &["mail".into()], 10, &Look::Everywhere).await.unwrap().claimed;
    assert_eq!(claims.iter().map(|run| run.id).collect::<Vec<_>>(), [ada[0], bob]);
    let from_there = Look::From(vec![(("mail".into(), 0), claims[1].run_at)]);
    let mut running = claims.into_iter().next().unwrap();
    for expected in [ada[1], ada[2], late] {
        world.written(completes(&running, "1")).await;
        let claims = claim_limited(world.pool(), world.worker, &["mail".into()], 10, &from_there).await.unwrap().claimed;
        assert_eq!(claims.iter().map(|run| run.id).collect::<Vec<_>>(), [expected]);
        running = claims.into_iter().next().unwrap();
    }
}
