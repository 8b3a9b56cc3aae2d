//! Something that a workflow has started, or will start when it is first polled, and whose outcome it can await.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::future::FusedFuture;
use serde::de::DeserializeOwned;

use crate::Failure;
use crate::executor::{self, Run};
use crate::functions::Outcome;
use crate::host::{Number, Request};
use crate::values;

/// A started operation: await it for its outcome. Dropping it before that gives it up: the task or workflow is cancelled, the
/// timer or signal no longer waited for. That is what happens to the losers of a [`select!`](crate::select).
///
/// ```
/// # use std::time::Duration;
/// # use currant::Failure;
/// #[currant::workflow]
/// async fn both_at_once() -> Result<(), Failure> {
///     let first = currant::sleep(Duration::from_secs(3600)).start();
///     let second = currant::sleep(Duration::from_secs(3600)).start();
///     first.await?;
///     second.await
/// }
/// # let mut run = currant::testing::Run::new();
/// # run.call(both_at_once()).unwrap();
/// # assert_eq!(run.elapsed(), Duration::from_secs(3600));
/// ```
#[must_use = "an operation that is dropped is given up; await it, or let it go with `.detach()`"]
pub struct Operation<T> {
    raw: Raw,
    value: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Operation<T> {
    pub(crate) fn new(raw: Raw) -> Self {
        Self { raw, value: PhantomData }
    }

    /// Starts it now, if it has not been started; otherwise it starts when it is first polled.
    ///
    /// ```
    /// # use currant::Failure;
    /// # #[currant::task] fn pack(parcel: u32) -> Result<u32, Failure> { Ok(parcel) }
    /// #[currant::workflow]
    /// async fn pack_two() -> Result<u32, Failure> {
    ///     let first = pack(1).start();
    ///     let second = pack(2).start();
    ///     Ok(first.await? + second.await?)
    /// }
    /// # assert_eq!(pack_two().run(), Ok(3));
    /// ```
    pub fn start(mut self) -> Self {
        self.raw.start();
        self
    }

    /// Starts it, and lets it go on by itself: it is not cancelled, and nobody hears how it ends. A child workflow that should
    /// outlive its parent needs [`detached`](crate::Call::detached) as well.
    ///
    /// ```
    /// # use currant::Failure;
    /// # #[currant::task] fn audit(what: String) -> Result<(), Failure> { Ok(()) }
    /// #[currant::workflow]
    /// async fn fire_and_forget() -> Result<(), Failure> {
    ///     audit("begun".to_owned()).start().detach();
    ///     Ok(())
    /// }
    /// # assert_eq!(fire_and_forget().run(), Ok(()));
    /// ```
    pub fn detach(mut self) {
        self.raw.start();
        self.raw.let_go();
    }
}

impl<T: DeserializeOwned> Future for Operation<T> {
    type Output = Result<T, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.raw.poll_value(context)
    }
}

impl<T: DeserializeOwned> FusedFuture for Operation<T> {
    fn is_terminated(&self) -> bool {
        self.raw.is_over()
    }
}

impl<T> fmt::Debug for Operation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Operation({:?})", self.raw)
    }
}

/// An operation whose value is still JSON text: what every awaitable thing of this crate is made of.
pub(crate) struct Raw(State);

enum State {
    /// It failed before it could be started, for example because its input cannot be written.
    Refused(Failure),
    New(Request),
    Started(Rc<Run>, Number),
    /// Ended without a host: a function that a native test called outside a workflow.
    Ended(Outcome),
    Over,
}

impl Raw {
    pub(crate) fn new(request: Result<Request, Failure>) -> Self {
        Self(request.map_or_else(State::Refused, State::New))
    }

    pub(crate) fn started(run: Rc<Run>, number: Number) -> Self {
        Self(State::Started(run, number))
    }

    /// One that will never answer: in place of one that lost.
    pub(crate) fn over() -> Self {
        Self(State::Over)
    }

    /// The request, as long as it can still be changed.
    pub(crate) fn request_mut(&mut self) -> Option<&mut Request> {
        match &mut self.0 {
            State::New(request) => Some(request),
            _ => None,
        }
    }

    pub(crate) fn into_request(mut self) -> Result<Request, Failure> {
        match std::mem::replace(&mut self.0, State::Over) {
            State::New(request) => Ok(request),
            State::Refused(failure) => Err(failure),
            _ => Err(Failure::new("already-started", "the call was started before").not_retryable()),
        }
    }

    pub(crate) fn start(&mut self) {
        self.0 = match std::mem::replace(&mut self.0, State::Over) {
            State::New(request) => match executor::current() {
                Some(run) => {
                    let number = run.start(request);
                    State::Started(run, number)
                }
                None => State::Ended(outside_a_workflow(request)),
            },
            State::Refused(failure) => State::Ended(Err(failure)),
            state => state,
        };
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Outcome> {
        self.start();
        let outcome = match &self.0 {
            State::Started(run, number) => match run.poll(*number, context.waker()) {
                Poll::Ready(outcome) => outcome,
                Poll::Pending => return Poll::Pending,
            },
            State::Ended(outcome) => outcome.clone(),
            // Awaited after its end. A fused future would be skipped; anything else can only wait for ever.
            _ => return Poll::Pending,
        };
        self.0 = State::Over;
        Poll::Ready(outcome)
    }

    pub(crate) fn poll_value<T: DeserializeOwned>(&mut self, context: &mut Context<'_>) -> Poll<Result<T, Failure>> {
        self.poll(context).map(|outcome| values::decode("invalid-result", "what the workflow was given", &outcome?))
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.0, State::Over)
    }

    fn let_go(&mut self) {
        if let State::Started(run, number) = &self.0 {
            run.let_go(*number);
        }
        self.0 = State::Over;
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let State::Started(run, number) = &self.0 {
            run.give_up(*number);
        }
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            State::Refused(failure) => write!(f, "{failure:?}"),
            State::New(request) => write!(f, "{request:?}"),
            State::Started(_, number) => write!(f, "{number}"),
            State::Ended(_) | State::Over => f.write_str("over"),
        }
    }
}

/// A function is still a function: in a native test, a call that is awaited outside a workflow just runs.
#[cfg(not(target_arch = "wasm32"))]
fn outside_a_workflow(request: Request) -> Outcome {
    crate::testing::run_alone(request)
}

#[cfg(target_arch = "wasm32")]
fn outside_a_workflow(request: Request) -> Outcome {
    Err(match request {
        Request::Task { function, .. } | Request::Workflow { function, .. } => {
            executor::no_workflow(&format!("starting `{function:?}` (to call it as a plain function, use `.run()`)"))
        }
        Request::Timer(_) => executor::no_workflow("a durable pause"),
        Request::Signal(_) => executor::no_workflow("receiving a signal"),
    })
}
