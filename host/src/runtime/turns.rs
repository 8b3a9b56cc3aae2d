//! Turns for guests that compute.
//!
//! A guest is polled on a thread of the worker's runtime, like everything else that the worker does. One that computes keeps its thread for an
//! epoch, and as many of them as there are threads would make each message of everybody else wait for an epoch, many times for each execution.
//! So a guest that was interrupted by an epoch goes on beside the runtime's threads, where the operating system shares out the processors; and
//! as many of them at once as there are processors, in turn.

use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

static TURNS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Arc::new(Semaphore::new(processors))
});

/// The turn that a guest waits for, if it needs one.
#[derive(Default)]
pub(super) struct Turn(Option<Pin<Box<dyn Future<Output = OwnedSemaphorePermit> + Send>>>);

/// What a guest may go on with.
pub(super) enum Taken {
    /// It is quick.
    None,
    /// It computes.
    Turn(OwnedSemaphorePermit),
}

impl Turn {
    /// The guest computes: it goes on when it is its turn.
    pub(super) fn ask(&mut self) {
        self.0 = Some(Box::pin(async { TURNS.clone().acquire_owned().await.expect("never closed") }));
    }

    /// Waits for the turn, if one was asked for.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Taken> {
        let Some(asked) = &mut self.0 else { return Poll::Ready(Taken::None) };
        let turn = ready!(asked.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(Taken::Turn(turn))
    }
}

impl Taken {
    /// Lets the guest go on for this turn.
    pub(super) fn spend<T>(self, guest: impl FnOnce() -> T) -> T {
        match self {
            // A runtime of one thread has nobody to hand its work to.
            Taken::Turn(_turn) if Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread => {
                tokio::task::block_in_place(guest)
            }
            Taken::Turn(_) | Taken::None => guest(),
        }
    }
}
