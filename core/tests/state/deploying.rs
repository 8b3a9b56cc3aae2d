//! Deployments: what becomes current, what is refused and why.

use std::collections::BTreeMap;

use currant_core::Error;
use currant_core::executions::commit::{Fate, Pin, WorkflowWrites};
use currant_core::ids::{Digest, EnvironmentId, FunctionName, ModuleName};
use currant_core::limits::{COMPONENT_BYTES, INSPECTIONS};
use currant_core::modules::{self, DeploymentStatus, Grants, ModuleDescription, Verdict};

use crate::world::{World, completes, decides, entry, fails, function, pin, task, waits, workflow};

fn description(name: &str, functions: &[modules::FunctionDescription]) -> ModuleDescription {
    ModuleDescription {
        name: ModuleName::parse(name).unwrap(),
        version: "1".into(),
        sdk: "test".into(),
        functions: functions.to_vec(),
    }
}

async fn request(world: &World, bytes: &[u8], grants: Option<&Grants>) -> i64 {
    modules::upload(world.pool(), bytes, false, grants).await.unwrap()
}

#[tokio::test]
async fn a_deployment_is_decided_once_and_replaces_the_functions_of_its_module() {
    let world = World::empty().await;
    world.deploy_version("shop", "1", &[task("charge"), workflow("checkout")], false).await;
    world.deploy_version("shop", "2", &[task("charge"), task("refund")], false).await;
    let served = modules::functions(world.pool()).await.unwrap();
    let names: Vec<_> = served.iter().map(|function| (function.name.as_str(), function.digest)).collect();
    let second = Digest::of(b"component shop 2");
    assert_eq!(names, [("charge", second), ("refund", second)]);
    let versions = modules::list(world.pool()).await.unwrap();
    let current: Vec<_> = versions.iter().map(|module| (module.digest, module.current, module.functions)).collect();
    assert_eq!(current, [(second, true, 2), (Digest::of(b"component shop 1"), false, 0)]);
    assert_eq!(modules::function(world.pool(), &function("refund")).await.unwrap().unwrap().retry().retries, 3);
    assert!(modules::function(world.pool(), &function("checkout")).await.unwrap().is_none());

    let twice = modules::decide(world.pool(), world.worker, 1, Verdict::Refused("late".into())).await.unwrap();
    assert_eq!(twice, None);
    assert_eq!(modules::deployment(world.pool(), 1).await.unwrap().status, DeploymentStatus::Deployed);
}

#[tokio::test]
async fn an_earlier_version_can_be_deployed_again() {
    let world = World::empty().await;
    for version in ["1", "2", "1"] {
        assert_eq!(world.deploy_version("shop", version, &[task("charge")], false).await, None);
    }
    let served = modules::function(world.pool(), &function("charge")).await.unwrap().unwrap();
    assert_eq!(served.digest, Digest::of(b"component shop 1"));
    let current: Vec<_> = modules::list(world.pool()).await.unwrap().iter().map(|module| module.current).collect();
    assert_eq!(current, [true, false]);
}

#[tokio::test]
async fn a_name_of_another_module_is_refused_unless_it_is_taken_over() {
    let world = World::empty().await;
    world.deploy("shop", &[task("charge")]).await;
    let refusal = world.deploy("store", &[task("charge"), task("send")]).await.unwrap();
    assert!(refusal.contains("`charge`") && refusal.contains("`shop`"), "{refusal}");
    assert!(modules::function(world.pool(), &function("send")).await.unwrap().is_none(), "all or nothing");
    assert_eq!(world.deploy_version("store", "1", &[task("charge"), task("send")], true).await, None);
    let served = modules::function(world.pool(), &function("charge")).await.unwrap().unwrap();
    assert_eq!(served.module.as_str(), "store");
}

#[tokio::test]
async fn a_name_keeps_its_kind_for_ever() {
    let world = World::empty().await;
    world.deploy("shop", &[task("charge")]).await;
    let refusal = world.deploy_version("shop", "2", &[workflow("charge")], true).await.unwrap();
    assert!(refusal.contains("keeps its kind"), "{refusal}");
    assert_eq!(world.deploy_version("shop", "3", &[task("send")], false).await, None);
    let refusal = world.deploy_version("shop", "4", &[workflow("charge")], false).await.unwrap();
    assert!(refusal.contains("keeps its kind"), "also when nothing offers it any more: {refusal}");
}

#[tokio::test]
async fn a_description_that_cannot_be_stored_is_a_refusal() {
    let world = World::empty().await;
    let refusal = world.deploy("shop", &[task("charge"), task("charge")]).await.unwrap();
    assert!(refusal.contains("`charge`"), "{refusal}");
    let odd = modules::FunctionDescription { description: Some("\0".into()), ..task("send") };
    let refusal = world.deploy("shop", &[odd]).await;
    assert!(refusal.is_some(), "it is decided all the same, and not inspected for ever");
}

#[tokio::test]
async fn grants_are_replaced_when_given_and_kept_when_not() {
    let world = World::empty().await;
    let shop = ModuleName::parse("shop").unwrap();
    let grants = |http: &[&str], env: &[(&str, &str)]| Grants {
        http: http.iter().map(|host| (*host).to_string()).collect(),
        env: env.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect::<BTreeMap<_, _>>(),
    };
    let mut versions = 0;
    let mut deployed = async |given: Option<Grants>| {
        versions += 1;
        let id = request(&world, format!("v{versions}").as_bytes(), given.as_ref()).await;
        modules::next_requested(world.pool(), world.worker).await.unwrap().unwrap();
        let verdict = Verdict::Deployed(description("shop", &[task("charge")]));
        modules::decide(world.pool(), world.worker, id, verdict).await.unwrap();
        modules::grants(world.pool(), &shop, None).await.unwrap().grants
    };
    let first = grants(&["a.example:443", "b.example:80"], &[("KEY", "secret")]);
    assert_eq!(deployed(Some(first.clone())).await, first);
    assert_eq!(deployed(None).await, first);
    assert_eq!(environments(&world).await, 1);
    assert_eq!(deployed(Some(first.clone())).await, first);
    assert_eq!(environments(&world).await, 1, "the same variables are the same environment");
    let second = grants(&["b.example:80"], &[("KEY", "other"), ("MODE", "")]);
    assert_eq!(deployed(Some(second.clone())).await, second);
    assert_eq!(deployed(Some(Grants::default())).await, Grants::default());
    assert!(!format!("{second:?}").contains("other"), "values may be secrets");
    let kept: i64 = sqlx::query_scalar("select count(*) from currant.deployments where grants is not null")
        .fetch_one(world.pool())
        .await
        .unwrap();
    assert_eq!(kept, 0);
}

async fn environments(world: &World) -> i64 {
    sqlx::query_scalar("select count(*) from currant.environments").fetch_one(world.pool()).await.unwrap()
}

#[tokio::test]
async fn grants_of_a_deployment_that_is_refused_are_forgotten() {
    let world = World::empty().await;
    let grants = Grants { env: [("KEY".to_string(), "secret".to_string())].into(), ..Default::default() };
    let id = request(&world, b"x", Some(&grants)).await;
    modules::next_requested(world.pool(), world.worker).await.unwrap().unwrap();
    modules::decide(world.pool(), world.worker, id, Verdict::Refused("no".into())).await.unwrap();
    let left: Option<String> =
        sqlx::query_scalar("select grants::text from currant.deployments").fetch_one(world.pool()).await.unwrap();
    assert_eq!(left, None);
}

#[tokio::test]
async fn a_component_that_kills_its_inspectors_is_refused() {
    let world = World::empty().await;
    let id = request(&world, b"poison", None).await;
    for _ in 0..INSPECTIONS {
        assert_eq!(modules::next_requested(world.pool(), world.worker).await.unwrap().unwrap().deployment, id);
        assert!(modules::next_requested(world.pool(), world.worker).await.unwrap().is_none(), "it is being inspected");
        world.advance(121).await;
    }
    assert!(modules::next_requested(world.pool(), world.worker).await.unwrap().is_none());
    let decided = modules::deployment(world.pool(), id).await.unwrap();
    assert_eq!(decided.status, DeploymentStatus::Refused);
    assert!(decided.reason.unwrap().contains("inspector"));
}

#[tokio::test]
async fn one_deployment_is_inspected_by_one_worker_at_a_time() {
    let world = World::empty().await;
    request(&world, b"one", None).await;
    request(&world, b"two", None).await;
    let (first, second) =
        tokio::join!(modules::next_requested(world.pool(), world.worker), modules::next_requested(world.pool(), world.worker));
    let (first, second) = (first.unwrap(), second.unwrap());
    let mut ids: Vec<_> = [first, second].into_iter().flatten().map(|requested| requested.deployment).collect();
    if ids.len() == 1 {
        ids.push(modules::next_requested(world.pool(), world.worker).await.unwrap().unwrap().deployment);
    }
    ids.sort_unstable();
    assert_eq!(ids, [1, 2]);
}

#[tokio::test]
async fn an_inspection_that_its_worker_broke_off_begins_again_at_once_and_counts_not() {
    let world = World::empty().await;
    request(&world, b"one", None).await;
    for _ in 0..=INSPECTIONS {
        let requested = modules::next_requested(world.pool(), world.worker).await.unwrap().expect("it still waits");
        assert!(modules::next_requested(world.pool(), world.worker).await.unwrap().is_none(), "somebody is at it");
        modules::leave_inspection(world.pool(), requested.deployment).await.unwrap();
    }
    assert!(modules::next_requested(world.pool(), world.worker).await.unwrap().is_some());
}

#[tokio::test]
async fn a_component_too_large_is_refused_before_it_is_sent() {
    let world = World::empty().await;
    let bytes = vec![0; COMPONENT_BYTES + 1];
    let error = modules::upload(world.pool(), &bytes, false, None).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }));
}

#[tokio::test]
async fn bytes_are_kept_as_they_were_sent() {
    let world = World::empty().await;
    let bytes: Vec<u8> = (0..100_000u32).map(|n| (n * 31 % 251) as u8).collect();
    let id = request(&world, &bytes, None).await;
    let digest = modules::deployment(world.pool(), id).await.unwrap().digest;
    assert_eq!(digest, Digest::of(&bytes));
    assert_eq!(modules::bytes(world.pool(), &digest).await.unwrap(), bytes);
    let error = modules::bytes(world.pool(), &Digest::of(b"nobody")).await.unwrap_err();
    assert!(matches!(error, Error::NotFound(_)));
    assert!(matches!(modules::deployment(world.pool(), 99).await.unwrap_err(), Error::NotFound(_)));
}

#[tokio::test]
async fn open_workflows_are_counted_on_the_version_that_they_are_pinned_to() {
    let world = World::new().await;
    let run = world.run("checkout").await;
    let pinning = WorkflowWrites { pin: pin(&run), ..Default::default() };
    world.written(decides(&run, pinning, waits(0))).await;
    world.deploy_version("shop", "2", &[task("charge"), workflow("checkout")], false).await;
    let open = async || {
        let versions = modules::list(world.pool()).await.unwrap();
        versions.into_iter().map(|module| (module.current, module.open_executions)).collect::<Vec<_>>()
    };
    assert_eq!(open().await, [(true, 0), (false, 1)]);
    world.client.signal(&run.id, "go", &crate::world::json("1"), None).await.unwrap();
    let run = world.claimed(run.id).await;
    world.written(completes(&run, "1")).await;
    assert_eq!(open().await, [(true, 0), (false, 0)]);
}

#[tokio::test]
async fn a_misspelt_name_is_met_with_the_nearest_one() {
    let world = World::new().await;
    assert_eq!(world.client.nearest("chekout").await.unwrap().as_deref(), Some("checkout"));
    assert_eq!(world.client.nearest("zzz").await.unwrap(), None);
    assert_eq!(FunctionName::parse("checkout").unwrap().as_str(), "checkout");
}

async fn current(world: &World) -> Vec<(Digest, bool)> {
    modules::list(world.pool()).await.unwrap().iter().map(|module| (module.digest, module.current)).collect()
}

fn shop() -> ModuleName {
    ModuleName::parse("shop").unwrap()
}

#[tokio::test]
async fn a_rollback_makes_the_version_before_current_at_once() {
    let world = World::empty().await;
    let version = |number: &str| Digest::of(format!("component shop {number}").as_bytes());
    for number in ["1", "2", "3"] {
        let functions = if number == "3" { vec![task("refund")] } else { vec![task("charge"), workflow("checkout")] };
        world.deploy_version("shop", number, &functions, false).await;
    }
    let parked = world.start("charge").await;
    assert!(world.client.status(&parked).await.unwrap().unwrap().parked);
    let done = modules::versions::roll_back(world.pool(), &shop(), None).await.unwrap();
    assert_eq!((done.from, done.to), (Some(version("3")), version("2")));
    assert_eq!(current(&world).await, [(version("2"), true), (version("3"), false), (version("1"), false)]);
    let served = modules::functions(world.pool()).await.unwrap();
    assert_eq!(served.iter().map(|function| function.name.as_str()).collect::<Vec<_>>(), ["charge", "checkout"]);
    assert_eq!(world.claimed(parked).await.digest, Some(version("2")), "what waited for the function goes on");

    let again = modules::versions::roll_back(world.pool(), &shop(), None).await.unwrap();
    assert_eq!(again.to, version("3"), "a second one takes the first back");
    let first = version("1").to_string();
    assert_eq!(modules::versions::roll_back(world.pool(), &shop(), Some(&first[..10])).await.unwrap().to, version("1"));
    let refused = modules::versions::roll_back(world.pool(), &shop(), Some(&first)).await.unwrap_err();
    assert!(refused.to_string().contains("is the current one"), "{refused}");
    let unknown = modules::versions::roll_back(world.pool(), &shop(), Some("nothing")).await.unwrap_err();
    assert!(matches!(unknown, Error::NotFound(_)), "{unknown}");
}

#[tokio::test]
async fn what_cannot_be_rolled_back_says_why() {
    let world = World::empty().await;
    assert!(matches!(modules::versions::roll_back(world.pool(), &shop(), None).await, Err(Error::NotFound(_))));
    world.deploy_version("shop", "1", &[task("charge")], false).await;
    let alone = modules::versions::roll_back(world.pool(), &shop(), None).await.unwrap_err();
    assert!(alone.to_string().contains("no earlier version"), "{alone}");
    world.deploy_version("shop", "2", &[task("send")], false).await;
    world.deploy_version("store", "1", &[task("charge")], false).await;
    let taken = modules::versions::roll_back(world.pool(), &shop(), None).await.unwrap_err();
    assert!(taken.to_string().contains("`charge` belongs to module `store`"), "{taken}");
    sqlx::query("update currant.modules set bytes = null").execute(world.pool()).await.unwrap();
    let dropped = modules::versions::roll_back(world.pool(), &shop(), None).await.unwrap_err();
    assert!(dropped.to_string().contains("bytes"), "{dropped}");
    assert_eq!(current(&world).await.len(), 3, "and nothing has changed");
}

#[tokio::test]
async fn a_version_is_not_deleted_while_an_open_execution_needs_it() {
    let world = World::empty().await;
    let first = Digest::of(b"component shop 1").to_string();
    world.deploy_version("shop", "1", &[task("charge"), workflow("checkout")], false).await;
    let run = world.run("checkout").await;
    let pinning = WorkflowWrites { pin: pin(&run), ..Default::default() };
    world.written(decides(&run, pinning, waits(0))).await;
    world.deploy_version("shop", "2", &[task("charge"), workflow("checkout")], false).await;
    let versions = modules::list(world.pool()).await.unwrap();
    let open: Vec<_> = versions.iter().map(|version| version.open_executions).collect();
    assert_eq!(open, [0, 1]);

    let refused = modules::versions::delete(world.pool(), &shop(), Some(&first)).await.unwrap_err();
    assert!(refused.to_string().contains("1 open execution needs version sha256:"), "{refused}");
    world.client.signal(&run.id, "go", &crate::world::json("1"), None).await.unwrap();
    let run = world.claimed(run.id).await;
    assert_eq!(run.digest.map(|digest| digest.to_string()), Some(first.clone()), "it stays on its version");
    world.written(completes(&run, "1")).await;
    assert_eq!(modules::versions::delete(world.pool(), &shop(), Some(&first)).await.unwrap().len(), 1);
    assert_eq!(current(&world).await.len(), 1);

    let second = Digest::of(b"component shop 2").to_string();
    let refused = modules::versions::delete(world.pool(), &shop(), Some(&second)).await.unwrap_err();
    assert!(refused.to_string().contains("is the current one"), "{refused}");
    let waits_for_it = world.start("charge").await;
    let refused = modules::versions::delete(world.pool(), &shop(), None).await.unwrap_err();
    assert!(refused.to_string().contains("1 open execution needs module `shop`"), "{refused}");
    world.client.cancel(&waits_for_it).await.unwrap();
    modules::versions::delete(world.pool(), &shop(), None).await.unwrap();
    assert!(current(&world).await.is_empty() && modules::functions(world.pool()).await.unwrap().is_empty());
    assert_eq!(world.deploy_version("shop", "1", &[task("charge")], false).await, None, "it can be deployed again");
}

#[tokio::test]
async fn a_workflow_stays_in_the_environment_that_it_began_in_until_it_begins_anew() {
    let world = World::new().await;
    let other_environment = async |variables: &'static str| {
        let made =
            sqlx::query_scalar("insert into currant.environments (module, variables) values ('shop', $1::json) returning id");
        made.bind(variables).fetch_one(world.pool()).await.unwrap()
    };
    let first: EnvironmentId = other_environment(r#"{"MODE": "first"}"#).await;
    let run = world.run("checkout").await;
    assert_eq!(run.environment, None, "it is in the current one until it is pinned");
    let granted = modules::grants(world.pool(), &shop(), run.environment).await.unwrap();
    assert_eq!((granted.environment, granted.grants.env["MODE"].as_str()), (first, "first"));
    let pinning = WorkflowWrites {
        chain: run.chain,
        pin: run.digest.map(|digest| Pin { digest, environment: granted.environment }),
        entries: vec![entry(0)],
        ..Default::default()
    };
    world.written(decides(&run, pinning, waits(0))).await;

    let second: EnvironmentId = other_environment(r#"{"MODE": "second"}"#).await;
    assert_eq!(modules::grants(world.pool(), &shop(), None).await.unwrap().environment, second);
    world.client.signal(&run.id, "go", &crate::world::json("1"), None).await.unwrap();
    let woken = world.claimed(run.id).await;
    assert_eq!(woken.environment, Some(first));
    assert_eq!(modules::grants(world.pool(), &shop(), woken.environment).await.unwrap().grants.env["MODE"], "first");

    world.written(fails(&woken)).await;
    world.client.retry(&run.id, false).await.unwrap();
    let retried = world.claimed(run.id).await;
    assert_eq!(retried.environment, Some(first), "it goes on with its journal");
    world.written(fails(&retried)).await;
    world.client.retry(&run.id, true).await.unwrap();
    let anew = world.claimed(run.id).await;
    assert_eq!(anew.environment, None, "it begins from the start");
    let next = Fate::ContinuesAsNew { input: crate::world::json("2") };
    world.written(decides(&anew, WorkflowWrites { chain: anew.chain, pin: pin(&anew), ..Default::default() }, next)).await;
    assert_eq!(world.claimed(run.id).await.environment, None, "so does its next chain");
}

#[tokio::test]
async fn a_module_that_is_deleted_leaves_the_environments_in_which_something_could_be_retried() {
    let world = World::new().await;
    let environment = sqlx::query_scalar(
        "insert into currant.environments (module, variables) values ('shop', '{\"MODE\": \"first\"}') returning id",
    );
    let environment: EnvironmentId = environment.fetch_one(world.pool()).await.unwrap();
    let run = world.run("checkout").await;
    let pin = run.digest.map(|digest| Pin { digest, environment });
    let writes = WorkflowWrites { chain: run.chain, pin, entries: vec![entry(0)], ..Default::default() };
    world.written(decides(&run, writes, Fate::GoesOn)).await;
    world.written(fails(&run)).await;
    modules::versions::delete(world.pool(), &shop(), None).await.unwrap();
    assert_eq!(modules::grants(world.pool(), &shop(), Some(environment)).await.unwrap().grants.env["MODE"], "first");
    let current = modules::grants(world.pool(), &shop(), None).await.unwrap();
    assert!(current.environment != environment && current.grants.env.is_empty(), "it would begin anew: {current:?}");
}

#[tokio::test]
async fn a_workflow_stays_on_its_version_through_any_number_of_deployments() {
    let world = World::empty().await;
    let version = |number: u32| Digest::of(format!("component shop {number}").as_bytes());
    let mut waiting = Vec::new();
    for number in 1..=20 {
        world.deploy_version("shop", &number.to_string(), &[task("charge"), workflow("checkout")], false).await;
        let run = world.run("checkout").await;
        let pinning = WorkflowWrites { pin: pin(&run), ..Default::default() };
        world.written(decides(&run, pinning, waits(0))).await;
        waiting.push((run.id, number));
    }
    assert_eq!(world.run("charge").await.digest, Some(version(20)), "tasks follow");
    for (id, number) in waiting {
        world.client.signal(&id, "go", &crate::world::json("1"), None).await.unwrap();
        let run = world.claimed(id).await;
        assert_eq!(run.digest, Some(version(number)));
        world.written(completes(&run, "1")).await;
    }
    let open: i64 = modules::list(world.pool()).await.unwrap().iter().map(|module| module.open_executions).sum();
    assert_eq!(open, 0);
}

/// The second version has no `refund` any more: a workflow of the first one calls it all the same, and it runs there.
#[tokio::test]
async fn what_the_current_version_has_no_more_runs_on_that_of_the_workflow_which_calls_it() {
    let world = World::empty().await;
    let mut refund = task("refund");
    refund.queue = Some(currant_core::ids::QueueName::parse("money").unwrap());
    refund.retry =
        Some(currant_core::executions::RetryPolicy { retries: 7, backoff_ms: 1, multiplier: 1.0, max_backoff_ms: 1 });
    world.deploy_version("shop", "1", &[refund, workflow("checkout")], false).await;
    let first = Digest::of(b"component shop 1");
    let parent = world.run("checkout").await;
    world.deploy_version("shop", "2", &[workflow("checkout")], false).await;
    let child = |operation, name| crate::world::child(&parent, operation, name);
    world.written(crate::world::starts(&parent, vec![child(1, "refund"), child(2, "unheard-of")])).await;
    let run = world.claim(10).await;
    assert_eq!(run.len(), 1, "what nobody ever offered is parked");
    assert_eq!((run[0].digest, run[0].module.as_deref(), run[0].queue.as_str()), (Some(first), Some("shop"), "money"));
    assert_eq!((run[0].kind, run[0].retry.retries), (currant_core::executions::Kind::Task, 7));
    let needed = modules::versions::delete(world.pool(), &shop(), Some(&first.to_string())).await.unwrap_err();
    assert!(needed.to_string().contains("1 open execution needs"), "{needed}");
    world.written(completes(&run[0], "1")).await;
    assert_eq!(world.status(run[0].id).await, "completed");
}
