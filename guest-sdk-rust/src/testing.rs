//! Runs workflows natively: tasks just run, timers jump, signals are given in advance.
//!
//! It shows what a workflow does, not that it survives a crash: nothing is recorded or replayed, and clocks and random are real.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::executor;
use crate::functions::{Body, Outcome, Target};
use crate::host::{Delivery, Host, Number, Request, native};
use crate::options::{CallOptions, RetryPolicy};
use crate::tasks::Call;
use crate::{Failure, values};

/// A world for one call: what it is told, and what it may see.
///
/// ```
/// # use std::time::Duration;
/// # use currant::Failure;
/// #[currant::task]
/// fn charge(amount: u64) -> Result<String, Failure> {
///     Err(Failure::new("no-network", "not in a test"))
/// }
///
/// #[currant::workflow]
/// async fn pay(amount: u64) -> Result<String, Failure> {
///     currant::sleep(Duration::from_secs(86_400)).await?;
///     charge(amount).await
/// }
///
/// let mut run = currant::testing::Run::new().mock("charge", |amount: u64| Ok(format!("paid {amount}")));
/// assert_eq!(run.call(pay(12))?, "paid 12");
/// assert_eq!(run.elapsed(), Duration::from_secs(86_400));
/// assert_eq!(run.called("charge"), 1);
/// # Ok::<(), Failure>(())
/// ```
#[derive(Default)]
pub struct Run {
    script: Script,
    world: Rc<World>,
}

impl Run {
    /// A world in which nothing is said or mocked.
    ///
    /// ```
    /// let run = currant::testing::Run::new();
    /// assert_eq!(run.called("anything"), 0);
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// This message is there from the beginning.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use currant::{Failure, testing::Run};
    /// #[currant::workflow]
    /// async fn wait() -> Result<String, Failure> {
    ///     currant::receive("name").await
    /// }
    ///
    /// assert_eq!(Run::new().signal("name", "Ann").call(wait())?, "Ann");
    /// # Ok::<(), Failure>(())
    /// ```
    pub fn signal(self, name: &str, payload: &(impl Serialize + ?Sized)) -> Self {
        self.signal_after(Duration::ZERO, name, payload)
    }

    /// This message comes after so much of the workflow's time.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use currant::{Failure, testing::Run};
    /// #[currant::workflow]
    /// async fn wait() -> Result<Option<String>, Failure> {
    ///     currant::receive("name").timeout(Duration::from_secs(60)).await
    /// }
    ///
    /// let late = Duration::from_secs(61);
    /// assert_eq!(Run::new().signal_after(late, "name", "Ann").call(wait())?, None);
    /// # Ok::<(), Failure>(())
    /// ```
    pub fn signal_after(mut self, after: Duration, name: &str, payload: &(impl Serialize + ?Sized)) -> Self {
        self.script.signals.push(Message { after, name: name.to_owned(), payload: values::encode("a signal", payload) });
        self
    }

    /// The result that the `number`-th [`external`](crate::external) of the workflow is given, at once.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use currant::{Failure, testing::Run};
    /// #[currant::workflow]
    /// async fn ask() -> Result<u32, Failure> {
    ///     currant::external()?.await
    /// }
    ///
    /// assert_eq!(Run::new().complete_external(1, &42).call(ask())?, 42);
    /// # Ok::<(), Failure>(())
    /// ```
    pub fn complete_external(mut self, number: u32, result: &(impl Serialize + ?Sized)) -> Self {
        self.script.externals.insert(number, values::encode("a result", result));
        self
    }

    /// The failure that the `number`-th [`external`](crate::external) of the workflow is given, at once.
    ///
    /// ```
    /// # use currant::{Failure, testing::Run};
    /// #[currant::workflow]
    /// async fn ask() -> Result<u32, Failure> {
    ///     currant::external()?.await
    /// }
    ///
    /// let failure = Run::new().fail_external(1, Failure::new("refused", "no")).call(ask()).unwrap_err();
    /// assert_eq!(failure.code(), "refused");
    /// ```
    pub fn fail_external(mut self, number: u32, failure: Failure) -> Self {
        self.script.externals.insert(number, Err(failure));
        self
    }

    /// Somebody cancels the workflow after so much of its time.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use currant::{Failure, testing::Run};
    /// #[currant::workflow]
    /// async fn rest() -> Result<(), Failure> {
    ///     currant::sleep(Duration::from_secs(3600)).await
    /// }
    ///
    /// let failure = Run::new().cancel_after(Duration::from_secs(5)).call(rest()).unwrap_err();
    /// assert!(failure.is_cancelled());
    /// ```
    pub fn cancel_after(mut self, after: Duration) -> Self {
        self.script.cancel_after = Some(after);
        self
    }

    /// Runs this instead of the function of that name, which need not exist: it can be one of another module.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use currant::{Failure, testing::Run};
    /// #[currant::workflow]
    /// async fn convert(euros: u32) -> Result<u32, Failure> {
    ///     currant::tasks::named("dollars", &euros).await
    /// }
    ///
    /// assert_eq!(Run::new().mock("dollars", |euros: u32| Ok(euros * 2)).call(convert(4))?, 8);
    /// # Ok::<(), Failure>(())
    /// ```
    pub fn mock<I, T>(mut self, function: &str, body: impl Fn(I) -> Result<T, Failure> + 'static) -> Self
    where
        I: DeserializeOwned,
        T: Serialize,
    {
        let body: Mock = Rc::new(move |input| {
            let result = body(values::decode("invalid-input", "the input of a mock", input)?)?;
            values::encode("the result of a mock", &result)
        });
        self.script.mocks.insert(function.to_owned(), body);
        self
    }

    /// Runs a task or workflow to its end, with the retries that its attribute asks for.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use currant::{Failure, testing::Run};
    /// #[currant::task]
    /// fn double(number: u32) -> Result<u32, Failure> {
    ///     Ok(2 * number)
    /// }
    ///
    /// assert_eq!(Run::new().call(double(4))?, 8);
    /// # Ok::<(), Failure>(())
    /// ```
    pub fn call<T: DeserializeOwned, K>(&mut self, call: Call<T, K>) -> Result<T, Failure> {
        self.world = Rc::new(World { script: self.script.clone(), state: RefCell::default() });
        let (outcome, end) = self.world.perform(&call.into_request()?, 0, Duration::ZERO);
        self.world.state.borrow_mut().now = end;
        values::decode("invalid-result", "the result", &outcome?)
    }

    /// How much time the last call would have taken, if code took none.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use currant::{Failure, testing::Run};
    /// #[currant::workflow]
    /// async fn rest() -> Result<(), Failure> {
    ///     currant::sleep(Duration::from_secs(3600)).await
    /// }
    ///
    /// let mut run = Run::new();
    /// run.call(rest())?;
    /// assert_eq!(run.elapsed(), Duration::from_secs(3600));
    /// # Ok::<(), Failure>(())
    /// ```
    pub fn elapsed(&self) -> Duration {
        self.world.state.borrow().now
    }

    /// How many attempts of a task or workflow the last call made.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use currant::{Failure, testing::Run};
    /// #[currant::task(retries = 2)]
    /// fn fail() -> Result<(), Failure> {
    ///     Err(Failure::new("again", "and again"))
    /// }
    ///
    /// let mut run = Run::new();
    /// assert!(run.call(fail()).is_err());
    /// assert_eq!(run.called("fail"), 3);
    /// ```
    pub fn called(&self, function: &str) -> u32 {
        self.world.state.borrow().attempts.get(function).copied().unwrap_or(0)
    }

    /// What the workflow published last, if that is what it is read as.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use currant::{Failure, testing::Run};
    /// #[currant::workflow]
    /// async fn work() -> Result<(), Failure> {
    ///     currant::publish(&50);
    ///     Ok(())
    /// }
    ///
    /// let mut run = Run::new();
    /// run.call(work())?;
    /// assert_eq!(run.published(), Some(50));
    /// # Ok::<(), Failure>(())
    /// ```
    pub fn published<T: DeserializeOwned>(&self) -> Option<T> {
        values::decode("invalid-value", "the progress", self.world.state.borrow().published.as_deref()?).ok()
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Run({:?})", self.elapsed())
    }
}

/// A call that a native test awaits or runs outside of any [`Run`].
pub(crate) fn run_alone(request: Request) -> Outcome {
    match request {
        Request::Task { .. } | Request::Workflow { .. } => Rc::new(World::default()).perform(&request, 0, Duration::ZERO).0,
        Request::Timer(_) => Ok("null".to_owned()),
        Request::Signal(name) => Err(executor::no_workflow(&format!("receiving the signal `{name}`"))),
    }
}

type Mock = Rc<dyn Fn(&str) -> Outcome>;

/// What the test says in advance.
#[derive(Clone, Default)]
struct Script {
    signals: Vec<Message>,
    externals: BTreeMap<u32, Outcome>,
    cancel_after: Option<Duration>,
    mocks: HashMap<String, Mock>,
}

#[derive(Clone)]
struct Message {
    after: Duration,
    name: String,
    payload: Outcome,
}

/// What all executions of one call share.
#[derive(Default)]
struct World {
    script: Script,
    state: RefCell<Seen>,
}

#[derive(Default)]
struct Seen {
    now: Duration,
    executions: u32,
    attempts: BTreeMap<String, u32>,
    published: Option<String>,
}

impl World {
    /// Runs a task or workflow that was started at `now`, with its retries. Also says when it ended.
    fn perform(self: &Rc<Self>, request: &Request, depth: u32, now: Duration) -> (Outcome, Duration) {
        let (Request::Task { function, input, options } | Request::Workflow { function, input, options, .. }) = request else {
            return (Ok("null".to_owned()), now);
        };
        let mut now = now + options.delay.unwrap_or_default();
        let policy = self.policy(function, options);
        let (mut attempt, mut pauses, mut progress) = (1, 0, None);
        let number = self.count_execution();
        loop {
            *self.state.borrow_mut().attempts.entry(function.name.to_string()).or_default() += 1;
            let mut execution = native::execution_of(&function.name, number);
            execution.attempt = attempt;
            execution.task_id.clone_from(&options.task_id);
            let (ended, said) = native::attempt(execution, progress, || self.attempt(function, input, depth, now));
            progress = said;
            let (outcome, end) = ended;
            now = end;
            match outcome {
                // As in a real queue it costs no retry, and ends some time.
                Err(failure) if failure.is_rate_limited() && pauses < 100 => {
                    now += failure.after().unwrap_or_default();
                    pauses += 1;
                }
                Err(failure) if failure.is_retryable() && attempt <= policy.retries => {
                    let exponent = i32::try_from(attempt - 1).unwrap_or(i32::MAX);
                    let back_off = policy.backoff.mul_f64(policy.multiplier.powi(exponent).min(1e9)).min(policy.max_backoff);
                    now += failure.after().unwrap_or(back_off);
                    attempt += 1;
                }
                outcome => return (outcome, now),
            }
        }
    }

    fn attempt(self: &Rc<Self>, function: &Target, input: &str, depth: u32, now: Duration) -> (Outcome, Duration) {
        if let Some(mock) = self.script.mocks.get(&*function.name) {
            return (mock(input), now);
        }
        match function.function().map(|function| &function.body) {
            Err(failure) => (Err(failure), now),
            Ok(Body::Task(body)) => (body(input), now),
            Ok(Body::Workflow(body)) => {
                let (mut input, mut now) = (input.to_owned(), now);
                loop {
                    let simulation = Rc::new(Simulation::new(Rc::clone(self), depth, now));
                    let (outcome, _) = executor::drive(Rc::clone(&simulation) as Rc<dyn Host>, body(&input));
                    now = simulation.0.borrow().now;
                    let next = simulation.0.borrow_mut().continued.take();
                    match next {
                        Some(next) => input = next,
                        None => return (outcome.map_err(Failure::of_workflow), now),
                    }
                }
            }
        }
    }

    fn policy(&self, function: &Target, options: &CallOptions) -> RetryPolicy {
        let found = function.function().ok();
        let own = found.and_then(|function| function.retry);
        let standard = match found.map(|function| &function.body) {
            Some(Body::Workflow(_)) => RetryPolicy::WORKFLOW,
            _ => RetryPolicy::TASK,
        };
        options.retry.or(own).unwrap_or(standard)
    }

    fn count_execution(&self) -> u32 {
        let mut seen = self.state.borrow_mut();
        seen.executions += 1;
        seen.executions
    }
}

/// One run of one workflow.
struct Simulation(RefCell<Progress>);

struct Progress {
    world: Rc<World>,
    /// 0 for the workflow that the test called. Only that one is given signals and cancelled.
    depth: u32,
    now: Duration,
    started: Number,
    externals: u32,
    operations: BTreeMap<Number, State>,
    messages: Vec<Message>,
    cancel_at: Option<Duration>,
    continued: Option<String>,
}

enum State {
    /// Not run yet: what is given up before the workflow waits never runs.
    Queued(Request, Duration),
    Ends(Outcome, Duration),
    Signal(String),
    /// Nobody said how it ends.
    Open(&'static str),
}

impl Simulation {
    fn new(world: Rc<World>, depth: u32, now: Duration) -> Self {
        let mut messages = if depth == 0 { world.script.signals.clone() } else { Vec::new() };
        messages.sort_by_key(|message| message.after);
        let cancel_at = world.script.cancel_after.filter(|_| depth == 0);
        let (operations, continued) = (BTreeMap::new(), None);
        Self(RefCell::new(Progress { world, depth, now, started: 0, externals: 0, operations, messages, cancel_at, continued }))
    }
}

impl Progress {
    fn add(&mut self, state: State) -> Number {
        self.started += 1;
        self.operations.insert(self.started, state);
        self.started
    }

    /// When this operation ends, if it does. Of two that wait for the same signal, the first gets the first message: the others
    /// are looked at again after it.
    fn end_of(&self, number: Number) -> Option<Duration> {
        match self.operations.get(&number)? {
            State::Ends(_, at) => Some(*at),
            State::Signal(name) => self.messages.iter().find(|message| message.name == *name).map(|message| message.after),
            State::Queued(..) | State::Open(_) => None,
        }
    }

    fn take(&mut self, number: Number) -> Outcome {
        match self.operations.remove(&number) {
            Some(State::Ends(outcome, _)) => outcome,
            Some(State::Signal(name)) => match self.messages.iter().position(|message| message.name == name) {
                Some(position) => self.messages.remove(position).payload,
                None => Ok("null".to_owned()),
            },
            _ => Ok("null".to_owned()),
        }
    }

    fn open(&self, numbers: &[Number]) -> String {
        let names = numbers.iter().map(|number| match self.operations.get(number) {
            Some(State::Signal(name)) => format!("the signal `{name}`"),
            Some(State::Open(what)) => (*what).to_owned(),
            _ => format!("operation {number}"),
        });
        format!("the test never gives {}", names.collect::<Vec<_>>().join(" or "))
    }
}

impl Host for Simulation {
    fn start(&self, request: Request) -> Number {
        let mut progress = self.0.borrow_mut();
        let now = progress.now;
        progress.add(match request {
            Request::Timer(length) => State::Ends(Ok("null".to_owned()), now + length),
            Request::Signal(name) => State::Signal(name),
            request => State::Queued(request, now),
        })
    }

    fn external(&self) -> (Number, String) {
        let mut progress = self.0.borrow_mut();
        progress.externals += 1;
        let (count, now) = (progress.externals, progress.now);
        let scripted = progress.world.script.externals.get(&count).filter(|_| progress.depth == 0).cloned();
        let state = scripted.map_or(State::Open("the external result"), |outcome| State::Ends(outcome, now));
        (progress.add(state), format!("external-{count}"))
    }

    fn wait(&self, numbers: &[Number]) -> Delivery {
        self.run_what_is_queued();
        let mut progress = self.0.borrow_mut();
        let first = numbers.iter().filter_map(|number| progress.end_of(*number).map(|end| (end, *number))).min();
        let cancellation = progress.cancel_at.filter(|at| first.is_none_or(|(end, _)| *at <= end));
        if let Some(at) = cancellation {
            progress.cancel_at = None;
            progress.now = progress.now.max(at);
            return Delivery::Cancelled;
        }
        let Some((end, number)) = first else { return Delivery::Never(progress.open(numbers)) };
        progress.now = progress.now.max(end);
        Delivery::Completed(number, progress.take(number))
    }

    fn cancel(&self, number: Number) {
        self.0.borrow_mut().operations.remove(&number);
    }

    fn begin_step(&self, _name: &str) -> Option<Outcome> {
        None
    }

    fn end_step(&self, _outcome: &Outcome) {}

    fn version(&self, _change: &str, _min: u32, max: u32) -> u32 {
        max
    }

    fn continue_as_new(&self, input: &str) {
        self.0.borrow_mut().continued = Some(input.to_owned());
    }

    fn publish(&self, progress: &str) {
        self.0.borrow().world.state.borrow_mut().published = Some(progress.to_owned());
    }
}

impl Simulation {
    /// In the order in which they were started. Nothing is borrowed meanwhile: a child workflow is a simulation of its own, and a
    /// task is any code.
    fn run_what_is_queued(&self) {
        let (world, depth) = {
            let progress = self.0.borrow();
            (Rc::clone(&progress.world), progress.depth)
        };
        let numbers: Vec<Number> = self.0.borrow().operations.keys().copied().collect();
        for number in numbers {
            let queued = match self.0.borrow().operations.get(&number) {
                Some(State::Queued(request, at)) => Some((request.clone(), *at)),
                _ => None,
            };
            if let Some((request, at)) = queued {
                let (outcome, end) = world.perform(&request, depth + 1, at);
                self.0.borrow_mut().operations.insert(number, State::Ends(outcome, end));
            }
        }
    }
}
