//! Calling tasks. (Writing them: [`#[currant::task]`](macro@crate::task).)

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::FusedFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::functions::{Body, Outcome, Target};
use crate::host::Request;
use crate::operation::{Operation, Raw};
use crate::options::{CallOptions, RetryPolicy};
use crate::{Failure, values};

/// That a [`Call`] is one of a task.
#[derive(Debug)]
pub enum Task {}

/// That a [`Call`] is one of a workflow.
#[derive(Debug)]
pub enum Workflow {}

/// A call of a task, which has the outcome of the task when it is awaited.
///
/// ```
/// #[currant::task]
/// fn double(number: u32) -> Result<u32, currant::Failure> {
///     Ok(2 * number)
/// }
///
/// let call: currant::TaskCall<u32> = double(4);
/// # drop(call);
/// ```
pub type TaskCall<T> = Call<T, Task>;

/// A call of a workflow, which has the outcome of the child workflow when it is awaited.
///
/// ```
/// #[currant::workflow]
/// async fn nothing() -> Result<(), currant::Failure> {
///     Ok(())
/// }
///
/// let call: currant::WorkflowCall<()> = nothing();
/// # drop(call);
/// ```
pub type WorkflowCall<T> = Call<T, Workflow>;

/// A function called with its arguments, and not started yet. Await it in a workflow: it starts when it is first polled, and goes
/// on until it is done or the call is dropped (then it is cancelled). The methods set what holds for this one call.
///
/// ```
/// # use std::time::Duration;
/// # use currant::Failure;
/// #[currant::task(queue = "payments")]
/// fn charge(amount: u64) -> Result<String, Failure> {
///     Ok(format!("charged {amount}"))
/// }
///
/// #[currant::workflow]
/// async fn pay(amount: u64) -> Result<String, Failure> {
///     charge(amount).priority(10).timeout(Duration::from_secs(20)).tag("vip").await
/// }
///
/// // Outside a workflow a function is still a function.
/// assert_eq!(charge(12).run()?, "charged 12");
/// assert_eq!(pay(12).run()?, "charged 12");
/// # Ok::<(), Failure>(())
/// ```
#[must_use = "a call does nothing until it is awaited (in a workflow) or `.run()`"]
pub struct Call<T, K> {
    raw: Raw,
    value: PhantomData<fn() -> (T, K)>,
}

/// Calls a task by its name: one of another module, perhaps in another language.
///
/// ```
/// # use currant::Failure;
/// #[currant::workflow]
/// async fn report() -> Result<String, Failure> {
///     let figures: Vec<f64> = currant::tasks::named("load-figures", &"2026-11").await?;
///     currant::tasks::named("draw-chart", &figures).queue("charts").await
/// }
/// ```
pub fn named<T: DeserializeOwned>(function: &str, input: &(impl Serialize + ?Sized)) -> TaskCall<T> {
    call(Target::named(function), input)
}

pub(crate) fn call<T: DeserializeOwned>(function: Target, input: &(impl Serialize + ?Sized)) -> TaskCall<T> {
    let input = encode(&function, input);
    Call::new(input.map(|input| Request::Task { function, input, options: CallOptions::default() }))
}

impl<T: DeserializeOwned, K> Call<T, K> {
    pub(crate) fn new(request: Result<Request, Failure>) -> Self {
        Self { raw: Raw::new(request), value: PhantomData }
    }

    /// Waits in this queue instead of the function's own.
    ///
    /// ```
    /// # #[currant::task] fn charge(amount: u64) -> Result<u64, currant::Failure> { Ok(amount) }
    /// let call = charge(12).queue("payments-eu");
    /// # assert_eq!(call.run(), Ok(12));
    /// ```
    pub fn queue(self, queue: impl Into<String>) -> Self {
        self.with(|options| options.queue = Some(queue.into()))
    }

    /// Higher goes first.
    ///
    /// ```
    /// # #[currant::task] fn charge(amount: u64) -> Result<u64, currant::Failure> { Ok(amount) }
    /// let call = charge(12).priority(10);
    /// # assert_eq!(call.run(), Ok(12));
    /// ```
    pub fn priority(self, priority: i16) -> Self {
        self.with(|options| options.priority = Some(priority))
    }

    /// Does not begin before this much time has passed.
    ///
    /// ```
    /// # #[currant::task] fn charge(amount: u64) -> Result<u64, currant::Failure> { Ok(amount) }
    /// let call = charge(12).delay(std::time::Duration::from_secs(60));
    /// # assert_eq!(call.run(), Ok(12));
    /// ```
    pub fn delay(self, delay: Duration) -> Self {
        self.with(|options| options.delay = Some(delay))
    }

    /// A key of the caller's. If an execution with this key is open or completed, no other is started: the call waits for that
    /// one and has its outcome.
    ///
    /// ```
    /// # #[currant::task] fn charge(amount: u64) -> Result<u64, currant::Failure> { Ok(amount) }
    /// let call = charge(12).task_id("charge-order-42");
    /// # assert_eq!(call.run(), Ok(12));
    /// ```
    pub fn task_id(self, id: impl Into<String>) -> Self {
        self.with(|options| options.task_id = Some(id.into()))
    }

    /// How often, and after how long, it is tried again.
    ///
    /// ```
    /// # #[currant::task] fn charge(amount: u64) -> Result<u64, currant::Failure> { Ok(amount) }
    /// let call = charge(12).retry(currant::RetryPolicy { multiplier: 1.0, ..Default::default() });
    /// # assert_eq!(call.run(), Ok(12));
    /// ```
    pub fn retry(self, policy: RetryPolicy) -> Self {
        self.with(|options| options.retry = Some(policy))
    }

    /// How often it is tried again, with the pauses of [`RetryPolicy::default`].
    ///
    /// ```
    /// # #[currant::task] fn charge(amount: u64) -> Result<u64, currant::Failure> { Ok(amount) }
    /// let call = charge(12).retries(0);
    /// # assert_eq!(call.run(), Ok(12));
    /// ```
    pub fn retries(self, retries: u32) -> Self {
        self.with(|options| options.retry = Some(RetryPolicy { retries, ..options.retry.unwrap_or_default() }))
    }

    /// How long one attempt may take.
    ///
    /// ```
    /// # #[currant::task] fn charge(amount: u64) -> Result<u64, currant::Failure> { Ok(amount) }
    /// let call = charge(12).timeout(std::time::Duration::from_secs(20));
    /// # assert_eq!(call.run(), Ok(12));
    /// ```
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|options| options.timeouts.attempt = Some(timeout))
    }

    /// How long it may take in all, waiting and retrying included.
    ///
    /// ```
    /// # #[currant::task] fn charge(amount: u64) -> Result<u64, currant::Failure> { Ok(amount) }
    /// let call = charge(12).total_timeout(std::time::Duration::from_secs(3600));
    /// # assert_eq!(call.run(), Ok(12));
    /// ```
    pub fn total_timeout(self, timeout: Duration) -> Self {
        self.with(|options| options.timeouts.total = Some(timeout))
    }

    /// How long it may wait in its queue.
    ///
    /// ```
    /// # #[currant::task] fn charge(amount: u64) -> Result<u64, currant::Failure> { Ok(amount) }
    /// let call = charge(12).queue_timeout(std::time::Duration::from_secs(600));
    /// # assert_eq!(call.run(), Ok(12));
    /// ```
    pub fn queue_timeout(self, timeout: Duration) -> Self {
        self.with(|options| options.timeouts.queue = Some(timeout))
    }

    /// Marks it for `currant list --tag`. May be said more than once.
    ///
    /// ```
    /// # #[currant::task] fn charge(amount: u64) -> Result<u64, currant::Failure> { Ok(amount) }
    /// let call = charge(12).tag("vip").tag("november");
    /// # assert_eq!(call.run(), Ok(12));
    /// ```
    pub fn tag(self, tag: impl Into<String>) -> Self {
        self.with(|options| options.tags.push(tag.into()))
    }

    /// Executions with the same key share the queue's concurrency limit per key.
    ///
    /// ```
    /// # #[currant::task] fn charge(amount: u64) -> Result<u64, currant::Failure> { Ok(amount) }
    /// let call = charge(12).concurrency_key("customer-7");
    /// # assert_eq!(call.run(), Ok(12));
    /// ```
    pub fn concurrency_key(self, key: impl Into<String>) -> Self {
        self.with(|options| options.concurrency_key = Some(key.into()))
    }

    /// Starts it now, to be awaited later.
    ///
    /// ```
    /// # use currant::Failure;
    /// # #[currant::task] fn pack(parcel: u32) -> Result<u32, Failure> { Ok(parcel) }
    /// #[currant::workflow]
    /// async fn pack_two() -> Result<u32, Failure> {
    ///     let (first, second) = (pack(1).start(), pack(2).start());
    ///     Ok(first.await? + second.await?)
    /// }
    /// # assert_eq!(pack_two().run(), Ok(3));
    /// ```
    pub fn start(self) -> Operation<T> {
        Operation::new(self.raw).start()
    }

    /// Runs the body here and now, as the plain function that it is: no queue, no retry, no record. In a task and in native tests;
    /// a workflow runs this way only natively, in a [`testing::Run`](crate::testing::Run) of its own.
    ///
    /// ```
    /// # #[currant::task] fn charge(amount: u64) -> Result<u64, currant::Failure> { Ok(amount) }
    /// let call = charge(12);
    /// # assert_eq!(call.run(), Ok(12));
    /// ```
    pub fn run(self) -> Result<T, Failure> {
        values::decode("invalid-result", "the result", &run_here(self.raw.into_request()?)?)
    }

    fn with(mut self, set: impl FnOnce(&mut CallOptions)) -> Self {
        if let Some(Request::Task { options, .. } | Request::Workflow { options, .. }) = self.raw.request_mut() {
            set(options);
        }
        self
    }

    pub(crate) fn request_mut(&mut self) -> Option<&mut Request> {
        self.raw.request_mut()
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn into_request(self) -> Result<Request, Failure> {
        self.raw.into_request()
    }
}

impl<T: DeserializeOwned, K> Future for Call<T, K> {
    type Output = Result<T, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.raw.poll_value(context)
    }
}

impl<T: DeserializeOwned, K> FusedFuture for Call<T, K> {
    fn is_terminated(&self) -> bool {
        self.raw.is_over()
    }
}

impl<T, K> fmt::Debug for Call<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({:?})", self.raw)
    }
}

pub(crate) fn encode(function: &Target, input: &(impl Serialize + ?Sized)) -> Result<String, Failure> {
    values::encode(&format!("the input of `{function:?}`"), input)
}

fn run_here(request: Request) -> Outcome {
    match request {
        Request::Task { function, input, .. } => match function.function()?.body {
            Body::Task(body) => body(&input),
            Body::Workflow(_) => Err(Failure::new("wrong-kind", format!("`{function:?}` is a workflow")).not_retryable()),
        },
        #[cfg(not(target_arch = "wasm32"))]
        request => crate::testing::run_alone(request),
        #[cfg(target_arch = "wasm32")]
        _ => Err(Failure::new("wrong-kind", "a workflow cannot be run in place: start it").not_retryable()),
    }
}
