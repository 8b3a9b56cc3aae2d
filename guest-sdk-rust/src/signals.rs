//! What comes from outside while a workflow runs: messages, and results that somebody else delivers.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::FusedFuture;
use serde::de::DeserializeOwned;

use crate::host::Request;
use crate::operation::{Operation, Raw};
use crate::{Failure, executor, timers};

/// Waits for one message of this name (`currant signal ID NAME`). Messages that came earlier are kept, and handed out in the order
/// of their arrival.
///
/// ```
/// # use std::time::Duration;
/// # use currant::Failure;
/// #[currant::workflow]
/// async fn publish_article() -> Result<String, Failure> {
///     let editor: String = currant::receive("approved").await?;
///     let remark: Option<String> = currant::receive("remark").timeout(Duration::from_secs(60)).await?;
///     Ok(format!("{editor}: {}", remark.unwrap_or_default()))
/// }
///
/// let mut run = currant::testing::Run::new().signal("approved", &"ada");
/// assert_eq!(run.call(publish_article())?, "ada: ");
/// # Ok::<(), Failure>(())
/// ```
pub fn receive<T: DeserializeOwned>(name: impl Into<String>) -> Receive<T> {
    Receive(Operation::new(Raw::new(Ok(Request::Signal(name.into())))))
}

/// A message to be awaited: what [`receive`] returns.
///
/// ```
/// #[currant::workflow]
/// async fn first_of_two() -> Result<u32, currant::Failure> {
///     let (mut one, mut other) = (currant::receive::<u32>("one"), currant::receive::<u32>("other"));
///     Ok(currant::select! { value = one => value?, value = other => value? })
/// }
/// ```
#[must_use = "nothing is received until it is awaited"]
pub struct Receive<T>(Operation<T>);

impl<T: DeserializeOwned> Receive<T> {
    /// Waits no longer than this; then there is no message.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use currant::Failure;
    /// #[currant::workflow]
    /// async fn listen() -> Result<Option<String>, Failure> {
    ///     currant::receive("remark").timeout(Duration::from_secs(60)).await
    /// }
    /// # assert_eq!(listen().run(), Ok(None));
    /// ```
    pub fn timeout(self, after: Duration) -> ReceiveTimeout<T> {
        ReceiveTimeout { message: self.0, timer: timers::sleep(after) }
    }
}

impl<T: DeserializeOwned> Future for Receive<T> {
    type Output = Result<T, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T: DeserializeOwned> FusedFuture for Receive<T> {
    fn is_terminated(&self) -> bool {
        self.0.is_terminated()
    }
}

impl<T> fmt::Debug for Receive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receive({:?})", self.0)
    }
}

/// A message or the end of patience: what [`Receive::timeout`] returns.
///
/// ```
/// # use std::time::Duration;
/// #[currant::workflow]
/// async fn patient() -> Result<bool, currant::Failure> {
///     let answer: Option<String> = currant::receive("answer").timeout(Duration::from_secs(60)).await?;
///     Ok(answer.is_some())
/// }
/// ```
#[must_use = "nothing is received until it is awaited"]
pub struct ReceiveTimeout<T> {
    message: Operation<T>,
    timer: Operation<()>,
}

impl<T: DeserializeOwned> Future for ReceiveTimeout<T> {
    type Output = Result<Option<T>, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(message) = Pin::new(&mut self.message).poll(context) {
            // The loser is given up at once, not when somebody gets round to dropping this future.
            self.timer = Operation::new(Raw::over());
            return Poll::Ready(message.map(Some));
        }
        Pin::new(&mut self.timer).poll(context).map(|timer| {
            self.message = Operation::new(Raw::over());
            timer.map(|()| None)
        })
    }
}

impl<T: DeserializeOwned> FusedFuture for ReceiveTimeout<T> {
    fn is_terminated(&self) -> bool {
        self.message.is_terminated()
    }
}

impl<T> fmt::Debug for ReceiveTimeout<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receive({:?}, {:?})", self.message, self.timer)
    }
}

/// Starts something that somebody outside completes: whoever holds the token, by `currant.complete(token, …)` or
/// `currant.fail(token, …)`.
///
/// ```
/// # use currant::Failure;
/// # #[currant::task] fn ask_human(token: String) -> Result<(), Failure> { Ok(()) }
/// #[currant::workflow]
/// async fn review() -> Result<bool, Failure> {
///     let answer = currant::external::<bool>()?;
///     ask_human(answer.token().to_owned()).await?;
///     answer.await
/// }
///
/// let mut run = currant::testing::Run::new().complete_external(1, &true);
/// assert_eq!(run.call(review()), Ok(true));
/// ```
pub fn external<T: DeserializeOwned>() -> Result<External<T>, Failure> {
    let run = executor::current().ok_or_else(|| executor::no_workflow("an external result"))?;
    let (number, token) = run.external();
    Ok(External { result: Operation::new(Raw::started(run, number)), token })
}

/// A result that comes from outside: what [`external`] returns.
///
/// ```
/// #[currant::workflow]
/// async fn ask() -> Result<String, currant::Failure> {
///     let answer = currant::external::<String>()?;
///     currant::publish(&answer.token());
///     answer.await
/// }
/// ```
#[must_use = "a result that is dropped is no longer waited for"]
pub struct External<T> {
    result: Operation<T>,
    token: String,
}

impl<T> External<T> {
    /// What the one who completes it must know, and nobody else should.
    ///
    /// ```
    /// #[currant::workflow]
    /// async fn ask() -> Result<bool, currant::Failure> {
    ///     let answer = currant::external::<bool>()?;
    ///     currant::info!("complete it with `select currant.complete(…)`", token = answer.token());
    ///     answer.await
    /// }
    /// ```
    pub fn token(&self) -> &str {
        &self.token
    }
}

impl<T: DeserializeOwned> Future for External<T> {
    type Output = Result<T, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.result).poll(context)
    }
}

impl<T: DeserializeOwned> FusedFuture for External<T> {
    fn is_terminated(&self) -> bool {
        self.result.is_terminated()
    }
}

impl<T> fmt::Debug for External<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "External({:?})", self.result)
    }
}
