//! Schedules: each time once, whoever looks; and what becomes of times that meet something that goes on, or nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use currant_core::Error;
use currant_core::schedules::{self, NewSchedule, Overlap};

use crate::world::{World, completes, function, json};

fn every_minute(name: &str) -> NewSchedule {
    NewSchedule {
        name: name.into(),
        cron: "* * * * *".into(),
        timezone: "UTC".into(),
        function: function("charge"),
        input: json("{\"nightly\":true}"),
        queue: None,
        priority: None,
        tags: vec!["report".into()],
        overlap: Overlap::Allow,
        catch_up: Duration::from_secs(3_600),
        jitter: Duration::ZERO,
    }
}

impl World {
    async fn schedule(&self, new: NewSchedule) {
        schedules::create(self.pool(), &new, false).await.unwrap();
    }

    /// A pass; how often each fate was one of a time's.
    async fn tick(&self) -> BTreeMap<String, usize> {
        let mut fates = BTreeMap::new();
        for fire in schedules::tick(self.pool()).await.unwrap().fires {
            *fates.entry(fire.fate).or_default() += 1;
        }
        fates
    }

    async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.pool()).await.unwrap()
    }
}

fn fates(of: &[(&str, usize)]) -> BTreeMap<String, usize> {
    of.iter().map(|(fate, count)| ((*fate).into(), *count)).collect()
}

#[tokio::test]
async fn a_schedule_starts_its_function_when_it_is_time() {
    let world = World::new().await;
    world.schedule(every_minute("nightly")).await;
    assert!(world.tick().await.is_empty());
    world.advance(60).await;
    assert_eq!(world.tick().await, fates(&[("started", 1)]));
    assert!(world.tick().await.is_empty());
    let run = world.claim(10).await.remove(0);
    assert_eq!(run.input.as_str(), "{\"nightly\":true}");
    let tags: Vec<String> = world.value(run.id, "select tags from currant.requests where id = $1").await;
    assert_eq!(tags, ["report", "schedule:nightly"]);
    let shown = schedules::find(world.pool(), "nightly").await.unwrap();
    assert_eq!((shown.last_execution, shown.last_status.as_deref()), (Some(run.id), Some("started")));
    assert_eq!(shown.next_at.unwrap() - shown.last_at.unwrap(), TimeDelta::minutes(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_number_of_workers_fire_each_time_once() {
    let world = World::new().await;
    for name in ["a", "b", "c"] {
        world.schedule(every_minute(name)).await;
    }
    for _ in 0..5 {
        world.advance(60).await;
        let looking = (0..6).map(|_| {
            let pool = world.pool().clone();
            tokio::spawn(async move { schedules::tick(&pool).await.unwrap().fires.len() })
        });
        let mut fired = 0;
        for looking in looking.collect::<Vec<_>>() {
            fired += looking.await.unwrap();
        }
        assert_eq!(fired, 3);
    }
    assert_eq!(world.count("select count(*) from currant.requests").await, 15);
    assert_eq!(world.count("select count(distinct (schedule, fire_at)) from currant.schedule_fires").await, 15);
}

/// Nobody ran for ten minutes: five of them are caught up with.
#[tokio::test]
async fn times_that_passed_too_long_ago_are_missed() {
    let world = World::new().await;
    world.schedule(NewSchedule { catch_up: Duration::from_secs(299), ..every_minute("nightly") }).await;
    world.advance(600).await;
    let tick = schedules::tick(world.pool()).await.unwrap();
    assert_eq!(tick.fires.len() + tick.missed[0].1, 10);
    assert!((4..=5).contains(&tick.fires.len()), "{tick:?}");
    assert!(tick.fires.windows(2).all(|pair| pair[1].at - pair[0].at == TimeDelta::minutes(1)));
}

#[tokio::test]
async fn more_times_than_fit_into_one_pass_fire_in_the_next() {
    let world = World::new().await;
    world.schedule(NewSchedule { catch_up: Duration::from_secs(86_400), ..every_minute("nightly") }).await;
    world.advance(150 * 60).await;
    assert_eq!(world.tick().await, fates(&[("started", 100)]));
    assert_eq!(world.tick().await, fates(&[("started", 50)]));
    assert!(world.tick().await.is_empty());
}

#[tokio::test]
async fn what_still_goes_on_is_skipped_waited_for_or_joined() {
    let world = World::new().await;
    world.schedule(NewSchedule { overlap: Overlap::Skip, ..every_minute("skips") }).await;
    world.schedule(NewSchedule { overlap: Overlap::Queue, ..every_minute("queues") }).await;
    world.schedule(NewSchedule { overlap: Overlap::Allow, ..every_minute("allows") }).await;
    world.advance(60).await;
    assert_eq!(world.tick().await, fates(&[("started", 3)]));
    for _ in 0..2 {
        world.advance(60).await;
        assert_eq!(world.tick().await, fates(&[("skipped", 1), ("started", 1), ("waiting", 1)]));
    }
    let mut started = 0;
    // Each that ends lets the next one of `queues` begin, one at a time.
    loop {
        let claimed = world.claim(10).await;
        if claimed.is_empty() {
            break;
        }
        for run in &claimed {
            world.written(completes(run, "1")).await;
            started += 1;
        }
        world.tick().await;
        assert!(world.count("select count(*) from currant.ready").await <= 1);
    }
    assert_eq!(started, 1 + 3 + 3);
    assert_eq!(world.count("select count(*) from currant.schedule_fires where status = 'waiting'").await, 0);
}

#[tokio::test]
async fn what_comes_during_a_pause_never_fires() {
    let world = World::new().await;
    world.schedule(every_minute("nightly")).await;
    schedules::pause(world.pool(), "nightly").await.unwrap();
    world.advance(300).await;
    assert!(world.tick().await.is_empty());
    let next = schedules::resume(world.pool(), "nightly").await.unwrap().unwrap();
    assert!(world.tick().await.is_empty());
    world.advance(60).await;
    assert_eq!(schedules::tick(world.pool()).await.unwrap().fires[0].at, next);
}

#[tokio::test]
async fn a_trigger_starts_at_once_and_a_backfill_what_is_not_there() {
    let world = World::new().await;
    world.schedule(NewSchedule { overlap: Overlap::Skip, ..every_minute("nightly") }).await;
    world.advance(60).await;
    world.tick().await;
    let triggered = schedules::trigger(world.pool(), "nightly").await.unwrap();
    assert_eq!(world.status(triggered).await, "pending");
    let last = schedules::list(world.pool()).await.unwrap()[0].next_at.unwrap() - TimeDelta::minutes(1);
    let times = schedules::times(world.pool(), "nightly", last - TimeDelta::minutes(3), last).await.unwrap();
    assert_eq!(times.len(), 4);
    let mut answers = Vec::new();
    for at in times {
        answers.push(schedules::fire(world.pool(), "nightly", at, Some(Overlap::Allow)).await.unwrap());
    }
    assert_eq!(answers, ["started", "started", "started", "fired before"]);
}

#[tokio::test]
async fn a_schedule_that_cannot_be_kept_is_paused_and_holds_back_no_other() {
    let world = World::new().await;
    for name in ["a", "b", "c"] {
        world.schedule(every_minute(name)).await;
    }
    let spoil = "update currant.schedules set queue = case name when 'a' then 'No Queue' end,
                 cron = case name when 'b' then 'whenever' else cron end";
    sqlx::query(spoil).execute(world.pool()).await.unwrap();
    world.advance(60).await;
    let tick = schedules::tick(world.pool()).await.unwrap();
    assert_eq!(tick.fires.iter().map(|fire| fire.schedule.as_str()).collect::<Vec<_>>(), ["c"]);
    let mut broken: Vec<_> = tick.broken.iter().map(|(name, _)| name.as_str()).collect();
    broken.sort_unstable();
    assert_eq!(broken, ["a", "b"]);
    assert!(schedules::find(world.pool(), "a").await.unwrap().paused);
}

#[tokio::test]
async fn jitter_spreads_starts_and_is_the_same_for_everybody_who_asks() {
    let world = World::new().await;
    for number in 0..20 {
        let new = every_minute(&format!("nightly-{number}"));
        world.schedule(NewSchedule { jitter: Duration::from_secs(600), ..new }).await;
    }
    world.advance(60).await;
    world.tick().await;
    let waits: Vec<f64> = sqlx::query_scalar(
        "select extract(epoch from ready.run_at - fire.fire_at)::double precision
         from currant.schedule_fires fire join currant.ready on ready.id = fire.execution_id",
    )
    .fetch_all(world.pool())
    .await
    .unwrap();
    assert!(waits.len() == 20 && waits.iter().all(|wait| (0.0..600.0).contains(wait)), "{waits:?}");
    let spread = waits.iter().copied().fold(0.0, f64::max) - waits.iter().copied().fold(600.0, f64::min);
    assert!(spread > 200.0, "{waits:?}");
}

#[tokio::test]
async fn a_schedule_is_made_once_changed_on_purpose_and_deleted() {
    let world = World::new().await;
    world.schedule(every_minute("nightly")).await;
    let again = schedules::create(world.pool(), &every_minute("nightly"), false).await.unwrap_err();
    assert!(matches!(again, Error::Conflict { .. }), "{again:?}");
    let changed = NewSchedule { cron: "0 0 * * *".into(), ..every_minute("nightly") };
    let next: DateTime<Utc> = schedules::create(world.pool(), &changed, true).await.unwrap().unwrap();
    assert_eq!(schedules::find(world.pool(), "nightly").await.unwrap().next_at, Some(next));
    let never = NewSchedule { cron: "0 0 30 2 *".into(), ..every_minute("never") };
    assert_eq!(schedules::create(world.pool(), &never, false).await.unwrap_err().to_string(), "`0 0 30 2 *` never comes");
    schedules::delete(world.pool(), "nightly").await.unwrap();
    assert!(matches!(schedules::delete(world.pool(), "nightly").await, Err(Error::NotFound(_))));
    assert!(matches!(schedules::trigger(world.pool(), "nightly").await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn old_times_are_forgotten_and_the_last_one_is_not() {
    let world = World::new().await;
    world
        .schedule(NewSchedule { cron: "0 0 * * *".into(), catch_up: Duration::from_secs(2 * 86_400), ..every_minute("daily") })
        .await;
    for _ in 0..3 {
        world.advance(86_400).await;
        world.tick().await;
    }
    schedules::pause(world.pool(), "daily").await.unwrap();
    world.advance(100 * 86_400).await;
    assert_eq!(schedules::forget_fires(world.pool()).await.unwrap(), 2);
}
