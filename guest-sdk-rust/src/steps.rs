//! Steps: closures inside a workflow whose outcome is recorded.

use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::future::FusedFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::executor::{self, Run};
#[cfg(target_arch = "wasm32")]
use crate::hash_order;
use crate::{Failure, values};

/// Runs a closure once, and records what it answers: a replay is given the record. For what is local and quick: inside it, clocks
/// and random are real and the module's grants hold, and nothing durable is possible. It runs while everything else in the
/// workflow is parked, at least once, and is recorded once.
///
/// ```
/// # use currant::Failure;
/// #[currant::workflow]
/// async fn ship() -> Result<u64, Failure> {
///     let id = currant::step("pick-id", || Ok(currant::random())).await?;
///     Ok(id % 10)
/// }
/// # assert!(ship().run().unwrap() < 10);
/// ```
pub fn step<T, F>(name: impl Into<String>, closure: F) -> Step<F>
where
    T: Serialize + DeserializeOwned,
    F: FnOnce() -> Result<T, Failure> + Unpin,
{
    Step { name: name.into(), state: State::New(closure) }
}

/// A [`step`] to be awaited.
///
/// ```
/// #[currant::workflow]
/// async fn lucky() -> Result<u8, currant::Failure> {
///     let number = currant::step("pick", || Ok(4));
///     number.await
/// }
/// ```
#[must_use = "a step does not run until it is awaited"]
pub struct Step<F> {
    name: String,
    state: State<F>,
}

enum State<F> {
    New(F),
    /// Waits until everything else is parked, with this ticket.
    Queued(F, Rc<Run>, u64),
    Over,
}

impl<T, F> Future for Step<F>
where
    T: Serialize + DeserializeOwned,
    F: FnOnce() -> Result<T, Failure> + Unpin,
{
    type Output = Result<T, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::New(closure) => match executor::current() {
                Some(run) => {
                    let ticket = run.ask_for_turn(context.waker());
                    self.state = State::Queued(closure, run, ticket);
                    Poll::Pending
                }
                // A function that a native test calls outside a workflow just runs.
                None if cfg!(not(target_arch = "wasm32")) => Poll::Ready(closure()),
                None => Poll::Ready(Err(executor::no_workflow("a step"))),
            },
            State::Queued(closure, run, ticket) if run.take_turn(ticket, context.waker()) => {
                Poll::Ready(take(&run, &self.name, closure))
            }
            state => {
                self.state = state;
                Poll::Pending
            }
        }
    }
}

fn take<T, F>(run: &Run, name: &str, closure: F) -> Result<T, Failure>
where
    T: Serialize + DeserializeOwned,
    F: FnOnce() -> Result<T, Failure>,
{
    let what = format!("the result of step `{name}`");
    #[cfg(target_arch = "wasm32")]
    let mark = hash_order::mark();
    let outcome = match run.host.begin_step(name) {
        Some(recorded) => recorded,
        None => {
            let outcome = closure().and_then(|value| values::encode(&what, &value));
            run.host.end_step(&outcome);
            outcome
        }
    };
    #[cfg(target_arch = "wasm32")]
    if !hash_order::settle(mark) {
        crate::warn!("step `{name}` made over a thousand hash maps: the order of maps after it can be another one on a replay");
    }
    // Replayed or not, from here on the host's randomness is the same; a generator that was seeded inside the closure is not.
    #[cfg(feature = "rand")]
    rand::rng().reseed().map_err(|error| Failure::new("no-randomness", error.to_string()))?;
    // The live run reads the record as well: a value that does not come back as it went should show at once, not at a replay.
    values::decode("invalid-result", &what, &outcome?)
}

impl<T, F> FusedFuture for Step<F>
where
    T: Serialize + DeserializeOwned,
    F: FnOnce() -> Result<T, Failure> + Unpin,
{
    fn is_terminated(&self) -> bool {
        matches!(self.state, State::Over)
    }
}

impl<F> Drop for Step<F> {
    fn drop(&mut self) {
        if let State::Queued(_, run, ticket) = &self.state {
            run.drop_ticket(*ticket);
        }
    }
}

impl<F> fmt::Debug for Step<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Step({})", self.name)
    }
}
