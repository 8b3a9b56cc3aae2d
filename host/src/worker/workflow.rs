//! One run of a workflow: the guest's calls, its journal, and the writes that make decisions durable.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use currant_core::executions::claim::Claimed;
use currant_core::executions::commit::{Activation, Ending, Fate, Pin, Verdict, WorkflowWrites};
use currant_core::executions::{Failure, Kind, StartOptions};
use currant_core::ids::{FunctionName, WorkerId};
use currant_core::inbox::News;
use currant_core::values::Json;
use currant_core::{inbox, journal as record};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tracing::{debug, error, warn};

use super::commit::Written;
use super::logs::Logs;
use super::registry::Entered;
use super::residents::{Place, Resumption};
use super::run::{activation, after_failure, call, fate_of, settle};
use super::services::{Hands, Services};
use crate::error::causes;
use crate::guest::{Grants, LogSink, Outcome, Refused, Returned, Role, Stop, StopFlag, Waited, WorkflowCalls};
use crate::journal::{BeganStep, Blocked, Corrupted, Divergence, Fault, Journal, Wait, Writes};
use crate::limit::LimitExceeded;
use crate::runtime::Module;

/// Hands a claimed workflow to its instance, if it waits in memory. Given back is what has to be started.
pub(super) async fn resume(
    services: &Services,
    claimed: Claimed,
    hands: Hands,
    news: Option<Vec<News>>,
) -> Result<(), Box<(Claimed, Hands)>> {
    if claimed.kind != Kind::Workflow {
        return Err(Box::new((claimed, hands)));
    }
    match services.grants(&claimed).await {
        Ok(grants) => services.residents.resume(claimed, hands, &grants, news),
        // It will be asked again, and said what is wrong.
        Err(_) => Err(Box::new((claimed, hands))),
    }
}

/// Runs a workflow until it ended, or is no longer in memory.
pub(super) async fn run(services: Arc<Services>, claimed: Claimed, hands: Hands, module: Arc<Module>, grants: Arc<Grants>) {
    let journal = match load(&services, &claimed, &module).await {
        Ok(journal) => journal,
        Err(Unreadable::Database(error)) => {
            warn!(error = causes(&error), "the workflow cannot be read now; it goes back");
            return settle(&services, activation(&claimed, Fate::Returned)).await;
        }
        Err(Unreadable::Corrupted(position, reason)) => {
            let failure = unreplayable(&claimed, position, &reason);
            return settle(&services, activation(&claimed, Fate::Ends(Ending::Failed(failure)))).await;
        }
    };
    let logs = Arc::new(Logs::new(claimed.claimed_at));
    let stop = StopFlag::default();
    let registered = services.workflows.enter(claimed.id, stop.clone());
    let claimed = Arc::new(claimed);
    let run = Arc::new(WorkflowRun {
        services: services.clone(),
        grants: grants.clone(),
        journal: Mutex::new(journal),
        waiting: tokio::sync::Mutex::new(()),
        logs: logs.clone(),
        stop: stop.clone(),
        claim: Mutex::new(Claim::new(claimed.clone(), hands, registered).into()),
        over: Mutex::new(None),
        ended: Notify::new(),
    });
    let call = call(&claimed, &module, Role::Workflow(run.clone()), logs, stop.clone(), None, grants);
    drop(claimed);
    let returned = tokio::select! {
        biased;
        () = run.ended.notified() => None,
        returned = services.runtime.run(&module, call) => Some(returned),
        reason = stopped(&stop) => Some(Returned::Stopped(reason)),
        never = stop_after(services.settings.time_limit, &run) => match never {},
    };
    run.conclude(returned).await;
}

/// A guest that computes sees its flag at the next epoch tick. One whose step waits in a host call never does: it is dropped soon after.
async fn stopped(flag: &StopFlag) -> Stop {
    let reason = flag.stopped().await;
    tokio::time::sleep(TIME_TO_STOP).await;
    reason
}

/// How long that is.
const TIME_TO_STOP: Duration = Duration::from_millis(500);

/// Stops a run that has held its slot for too long. One that waits holds none.
async fn stop_after(limit: Duration, run: &WorkflowRun) -> Infallible {
    loop {
        let held = run.claim.lock().expect("no panic while held").as_ref().map(|claim| claim.since.elapsed());
        let left = limit.saturating_sub(held.unwrap_or_default());
        if left.is_zero() {
            run.stop.stop(Stop::TimeLimit);
        }
        tokio::time::sleep(left.max(TIME_TO_STOP)).await;
    }
}

enum Unreadable {
    Database(currant_core::Error),
    /// At this position, if it is known.
    Corrupted(Option<i32>, String),
}

impl From<currant_core::Error> for Unreadable {
    fn from(error: currant_core::Error) -> Unreadable {
        match error {
            // It will not become readable by being read again.
            currant_core::Error::Unreadable(reason) => Unreadable::Corrupted(None, reason),
            error => Unreadable::Database(error),
        }
    }
}

impl From<Corrupted> for Unreadable {
    fn from(corrupted: Corrupted) -> Unreadable {
        Unreadable::Corrupted(Some(corrupted.position), corrupted.to_string())
    }
}

async fn load(services: &Services, claimed: &Claimed, module: &Module) -> Result<Journal, Unreadable> {
    // Nothing can be on record before its first run, and what has arrived since it was claimed keeps it from suspending.
    let rows = match claimed.run {
        1 => Vec::new(),
        _ => record::load(&services.pool, claimed.id, claimed.chain).await?,
    };
    let news = match claimed.arrivals {
        0 => Vec::new(),
        _ => inbox::load(&services.pool, claimed.id, 0).await?,
    };
    let limits = services.settings.journal;
    let mut journal = Journal::open(claimed.id, claimed.chain, *module.digest(), rows, claimed.claimed_at, limits)?;
    journal.arrived(news, claimed.arrivals, claimed.claimed_at);
    Ok(journal)
}

/// Nothing is run on a journal that is not what was recorded. Once its rows are what they were, the execution can be retried.
fn unreplayable(claimed: &Claimed, position: Option<i32>, reason: &str) -> Failure {
    error!(position, reason, "the journal is corrupted");
    let message = format!("workflow `{}`, chain {}: {reason}", claimed.function, claimed.chain);
    let details = serde_json::json!({
        "chain": claimed.chain,
        "position": position,
        "reason": reason,
        "next": "restore the row of currant.journal from a backup and retry; or retry from the start, with an empty journal",
    });
    Failure { details: Json::parse(details.to_string()).ok(), ..Failure::of_host("journal-corrupt", message, false) }
}

/// A workflow's run, as the imports see it.
struct WorkflowRun {
    services: Arc<Services>,
    grants: Arc<Grants>,
    /// None while it waits in memory: it is then suspended, nothing of it is in the worker's hands, and nothing can be written.
    claim: Mutex<Option<Claim>>,
    /// Never held across an await.
    journal: Mutex<Journal>,
    /// Held while the run waits: it has at most one write in flight, also when a guest polls several clocks at once.
    waiting: tokio::sync::Mutex<()>,
    logs: Arc<Logs>,
    stop: StopFlag,
    /// Why the run is over although the guest has not returned.
    over: Mutex<Option<Over>>,
    ended: Notify,
}

/// What a claim brought, until the run suspends or ends.
struct Claim {
    claimed: Arc<Claimed>,
    /// Whether the record says whose run this is.
    is_signed: bool,
    hands: Hands,
    since: Instant,
    _registered: Entered<StopFlag>,
}

impl Claim {
    fn new(claimed: Arc<Claimed>, hands: Hands, registered: Entered<StopFlag>) -> Claim {
        Claim { claimed, is_signed: false, hands, since: Instant::now(), _registered: registered }
    }
}

enum Over {
    /// Suspended, or taken over: everything is written that will be.
    Gone,
    /// Nobody knows whether the last write is durable: the run goes back, and is replayed.
    Unsure,
    /// What the run wants to write, the database refuses.
    Rejected(String),
    /// The code did something else than what is on record.
    Diverged(Divergence),
    /// Its journal is full.
    Exceeded(LimitExceeded),
    /// The code wants to go on as a new run.
    ContinuesAsNew(Json),
}

impl WorkflowRun {
    fn claimed(&self) -> Arc<Claimed> {
        let claim = self.claim.lock().expect("no panic while held");
        claim.as_ref().expect("only who waits has no claim, and makes no calls").claimed.clone()
    }

    fn journal(&self) -> std::sync::MutexGuard<'_, Journal> {
        self.journal.lock().expect("the journal does not panic")
    }

    /// Ends the run from within a call of the guest: whoever drives it drops the guest.
    async fn leave<T>(&self, over: Over) -> T {
        *self.over.lock().expect("no panic while held") = Some(over);
        self.ended.notify_one();
        std::future::pending().await
    }

    /// A fault ends the guest with a trap; what decides what the run came to is remembered.
    fn refuse(&self, fault: Fault) -> Refused {
        let (text, over) = match fault {
            Fault::Refused(text) => return Refused(text),
            Fault::Diverged(divergence) => (divergence.to_string(), Over::Diverged(divergence)),
            Fault::Exceeded(exceeded) => (exceeded.to_string(), Over::Exceeded(exceeded)),
        };
        self.over.lock().expect("no panic while held").get_or_insert(over);
        Refused(text)
    }

    /// This worker's name, for the first entries of a run.
    fn sign(&self) -> Option<WorkerId> {
        let mut claim = self.claim.lock().expect("no panic while held");
        let signed = std::mem::replace(&mut claim.as_mut()?.is_signed, true);
        (!signed).then_some(self.services.id)
    }

    fn activation(&self, writes: Writes, fate: Fate) -> Activation {
        let Writes { entries, children, cancels, delivered, publish, warning, pin, children_are_closed } = writes;
        let claimed = self.claimed();
        let worker = if entries.is_empty() { None } else { self.sign() };
        let pin = pin.map(|digest| Pin { digest, environment: self.grants.environment });
        for warning in warning.iter().flat_map(|warning| warning.lines()) {
            warn!(warning, "the workflow comes near a limit");
            self.logs.log("warn", warning.to_owned(), Vec::new());
        }
        let chain = claimed.chain;
        let workflow =
            WorkflowWrites { chain, pin, worker, entries, children, cancels, delivered, publish, warning, children_are_closed };
        Activation { workflow: Some(workflow), logs: self.logs.take(), ..activation(&claimed, fate) }
    }

    /// Makes everything that was decided durable, and the run go on or suspend.
    async fn write(&self, fate: Fate) -> Verdict {
        let writes = self.journal().take_writes();
        match self.services.committer.write(self.activation(writes, fate)).await {
            Written::Answered(Verdict::Lost) => self.leave(Over::Gone).await,
            Written::Answered(verdict) => verdict,
            Written::Unknown => self.leave(Over::Unsure).await,
            Written::Rejected(error) => self.leave(Over::Rejected(causes(&error))).await,
        }
    }

    async fn wait_for(&self, operations: &[u32], tell_cancellation: bool) -> Result<Waited, Refused> {
        let _one_at_a_time = self.waiting.lock().await;
        loop {
            let (wait, seen) = {
                let mut journal = self.journal();
                let wait = journal.wait(operations, tell_cancellation).map_err(|fault| self.refuse(fault))?;
                (wait, journal.seen())
            };
            let blocked = match wait {
                Wait::Delivered { operation, outcome } => return Ok(Waited::Completion { operation, outcome }),
                Wait::Cancelled => return Ok(Waited::Cancelled),
                Wait::Blocked(blocked) => blocked,
            };
            self.suspend(blocked, seen).await;
        }
    }

    /// Writes, and suspends the run unless there is news; then waits in memory for its next claim. Returns when the guest may look again.
    async fn suspend(&self, blocked: Blocked, seen: i32) {
        let Blocked { until, shortest_new_timer } = blocked;
        let place = self.services.residents.place(&self.claimed(), seen, self.grants.clone());
        let resident_on = place.as_ref().map(|_| self.services.id);
        let suspends = Fate::Suspends { until, shortest_new_timer_ms: shortest_new_timer, seen, resident_on };
        match self.write(suspends).await {
            Verdict::News { at, arrivals } => {
                self.journal().written(at);
                let news = if arrivals > seen { None } else { Some(Vec::new()) };
                self.take_in(news, arrivals, at).await;
            }
            Verdict::Written { at } => {
                self.journal().written(at);
                self.services.due.expect(at, until, shortest_new_timer);
                self.wait_in_memory(place).await;
            }
            Verdict::Lost => unreachable!("`write` leaves when the run was taken over"),
        }
    }

    async fn wait_in_memory(&self, place: Option<Place>) {
        let claim = self.claim.lock().expect("no panic while held").take();
        drop(claim);
        let resumed = match place {
            Some(place) => place.resumed().await,
            None => None,
        };
        let Some(Resumption { claimed, hands, news }) = resumed else { return self.leave(Over::Gone).await };
        debug!(execution.run = claimed.run, "goes on in memory");
        let (id, arrivals, at) = (claimed.id, claimed.arrivals, claimed.claimed_at);
        self.logs.begin(at);
        let registered = self.services.workflows.enter(id, self.stop.clone());
        let claim = Claim::new(Arc::new(claimed), hands, registered);
        *self.claim.lock().expect("no panic while held") = Some(claim);
        self.take_in(news, arrivals, at).await;
    }

    /// Takes in what has arrived; loads it, if nobody has.
    async fn take_in(&self, news: Option<Vec<News>>, arrivals: i32, at: DateTime<Utc>) {
        let news = match news {
            Some(news) => Ok(news),
            None => {
                let (id, seen) = (self.claimed().id, self.journal().seen());
                inbox::load(&self.services.pool, id, seen).await
            }
        };
        match news {
            Ok(news) => self.journal().arrived(news, arrivals, at),
            Err(error) => {
                warn!(error = causes(&error), "its news cannot be read now; the workflow goes back");
                self.leave(Over::Unsure).await
            }
        }
    }

    fn start(
        &self,
        kind: Kind,
        function: String,
        input: String,
        options: StartOptions,
        detached: bool,
    ) -> Result<u32, Refused> {
        let function = FunctionName::parse(&function).map_err(|error| Refused(format!("start `{function}`: {error}")))?;
        let input = Json::parse(input).map_err(|error| Refused(format!("start `{function}`: the input: {error}")))?;
        self.journal().start(kind, function, input, options, detached).map_err(|fault| self.refuse(fault))
    }

    /// Writes what the run came to.
    async fn conclude(&self, returned: Option<Returned>) {
        let over = self.over.lock().expect("no panic while held").take();
        let claimed = {
            let mut claim = self.claim.lock().expect("no panic while held");
            let Some(Claim { claimed, hands, .. }) = claim.as_mut() else { return debug!("no longer in memory") };
            hands.free_slot();
            claimed.clone()
        };
        let activation = match (over, returned) {
            (Some(Over::Gone), _) => return debug!("suspended, or taken over"),
            (Some(Over::Unsure), _) => activation(&claimed, Fate::Returned),
            (Some(Over::Rejected(reason)), _) => {
                let message = format!("the database refuses what the workflow writes: {reason}");
                let failure = Failure::of_host("invalid-value", message, false);
                activation(&claimed, Fate::Ends(Ending::Failed(failure)))
            }
            (Some(Over::Diverged(divergence)), _) => self.nondeterminism(&divergence),
            (Some(Over::Exceeded(exceeded)), _) => {
                let fate = Fate::Ends(Ending::Failed(exceeded.failure()));
                Activation { logs: self.logs.take(), ..activation(&claimed, fate) }
            }
            (Some(Over::ContinuesAsNew(input)), _) => {
                let writes = self.journal().take_writes();
                self.activation(writes, Fate::ContinuesAsNew { input })
            }
            (None, Some(returned)) => self.conclusion(returned),
            (None, None) => unreachable!("`leave` says why before it ends the run"),
        };
        settle(&self.services, activation).await;
    }

    /// The guest returned, failed or trapped.
    fn conclusion(&self, returned: Returned) -> Activation {
        let claimed = self.claimed();
        let mut journal = self.journal();
        let unfinished = match &returned {
            Returned::Completed(_) => journal.finish("return of the workflow"),
            Returned::Failed(failure) if !failure.is_of_host() => journal.finish("failure of the workflow"),
            Returned::Cancelled => journal.finish("return of the cancelled workflow"),
            // Traps and limits may strike a replay where they spared the run before it.
            _ => Ok(()),
        };
        if let Err(divergence) = unfinished {
            return self.nondeterminism(&divergence);
        }
        match returned {
            Returned::Stopped(Stop::Cancelled) => {
                let message = "ended by the host: it was cancelled, and did not end by itself in time, or was cancelled again";
                activation(&claimed, Fate::Ends(Ending::Cancelled(Failure::of_host("cancelled", message, false))))
            }
            Returned::Stopped(Stop::TimeLimit) => self.activation(journal.take_writes(), fate_of(&claimed, returned)),
            Returned::Stopped(_) => activation(&claimed, Fate::Returned),
            Returned::RateLimited(_) => {
                let failure = Failure::of_host("trap", "only a task may answer `rate-limited`", false);
                self.activation(journal.take_writes(), after_failure(&claimed, failure))
            }
            returned => self.activation(journal.take_writes(), fate_of(&claimed, returned)),
        }
    }

    /// The run ends, and nothing of it is written. It can be retried once the cause is mended.
    fn nondeterminism(&self, divergence: &Divergence) -> Activation {
        warn!(position = divergence.position, recorded = divergence.recorded, called = divergence.called, "replay diverged");
        let claimed = self.claimed();
        let mut failure = Failure::of_host(
            "nondeterminism",
            format!("replay diverged in workflow `{}`: {divergence}", claimed.function),
            false,
        );
        let details = serde_json::json!({
            "position": divergence.position,
            "recorded": divergence.recorded,
            "called": divergence.called,
            "module": claimed.digest.map(|digest| digest.to_string()),
            "after": divergence.after,
            "likely_cause": divergence.likely_cause,
        });
        failure.details = Json::parse(details.to_string()).ok();
        activation(&claimed, Fate::Ends(Ending::Failed(failure)))
    }
}

impl WorkflowCalls for WorkflowRun {
    fn start_task(&self, function: String, input: String, options: StartOptions) -> Result<u32, Refused> {
        self.start(Kind::Task, function, input, options, false)
    }

    fn start_workflow(&self, function: String, input: String, options: StartOptions, detached: bool) -> Result<u32, Refused> {
        self.start(Kind::Workflow, function, input, options, detached)
    }

    fn start_timer(&self, milliseconds: u64) -> Result<u32, Refused> {
        self.journal().start_timer(milliseconds).map_err(|fault| self.refuse(fault))
    }

    fn receive_signal(&self, name: String) -> Result<u32, Refused> {
        self.journal().receive_signal(name).map_err(|fault| self.refuse(fault))
    }

    fn external(&self) -> Result<(u32, String), Refused> {
        let secret: [u8; 16] = rand::random();
        let secret = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        self.journal().external(secret).map_err(|fault| self.refuse(fault))
    }

    fn wait(&self, operations: Vec<u32>) -> BoxFuture<'_, Result<Waited, Refused>> {
        async move { self.wait_for(&operations, true).await }.boxed()
    }

    fn cancel(&self, operation: u32) -> Result<(), Refused> {
        self.journal().cancel(operation).map_err(|fault| self.refuse(fault))
    }

    fn begin_step(&self, name: String) -> BoxFuture<'_, Result<Option<Outcome>, Refused>> {
        async move {
            let began = self.journal().begin_step(name).map_err(|fault| self.refuse(fault))?;
            if let BeganStep::Recorded(outcome) = began {
                return Ok(Some(outcome));
            }
            // The closure may touch the world: everything that led to it is durable first.
            let _one_at_a_time = self.waiting.lock().await;
            let written = self.journal().is_written();
            if !written && let Verdict::Written { at } = self.write(Fate::GoesOn).await {
                self.journal().written(at);
            }
            Ok(None)
        }
        .boxed()
    }

    fn end_step(&self, outcome: Outcome) -> Result<(), Refused> {
        let outcome = match outcome {
            Outcome::Completed(value) => match Json::parse(value) {
                Ok(value) => Outcome::Completed(value.into_string()),
                Err(error) => return Err(Refused(format!("end-step: the result: {error}"))),
            },
            Outcome::Failed(failure) => Outcome::Failed(failure.storable()),
        };
        self.journal().end_step(outcome).map_err(|fault| self.refuse(fault))
    }

    fn version(&self, change: String, min: u32, max: u32) -> Result<u32, Refused> {
        self.journal().version(change, min, max).map_err(|fault| self.refuse(fault))
    }

    fn continue_as_new(&self, input: String) -> Refused {
        match Json::parse(input) {
            Ok(input) => {
                self.over.lock().expect("no panic while held").get_or_insert(Over::ContinuesAsNew(input));
                Refused("the run ends here, and goes on as a new one".into())
            }
            Err(error) => Refused(format!("continue-as-new: the input: {error}")),
        }
    }

    fn publish(&self, progress: String) -> Result<(), Refused> {
        let progress = Json::parse(progress).map_err(|error| Refused(format!("publish: {error}")))?;
        self.journal().publish(progress).map_err(|fault| self.refuse(fault))
    }

    fn in_step(&self) -> bool {
        self.journal().in_step()
    }

    fn replaying(&self) -> bool {
        self.journal().replaying()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.journal().now().timestamp_millis()).unwrap_or(0)
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.journal().fill_random(bytes);
    }

    fn sleep(&self, milliseconds: u64) -> BoxFuture<'_, Result<(), Refused>> {
        async move {
            let timer = self.start_timer(milliseconds)?;
            // A sleep of the language has nowhere to raise a cancellation: the next `wait` is told.
            self.wait_for(&[timer], false).await.map(drop)
        }
        .boxed()
    }
}
