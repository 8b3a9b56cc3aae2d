//! Turns for guests that compute.
//!
//! A guest is polled on a thread of the worker's runtime, like everything else that the worker does. One that computes keeps its thread for an
//! epoch, and as many of them as there are threads would make each message of everybody else wait for an epoch, many times for each execution.
//! So a guest that was interrupted after it had computed for an epoch goes on beside the runtime's threads, where the operating system shares out the processors; and
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    async fn turn() -> Taken {
        let mut turn = Turn::default();
        turn.ask();
        poll_fn(|context| turn.poll(context)).await
    }

    /// Without a turn it would wait for ever here: the runtime has one thread, and the guest keeps it until the other has run.
    #[test]
    fn what_computes_leaves_its_thread_to_others() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("threads can be made");
        let told = Arc::new(AtomicBool::new(false));
        let guest = {
            let told = told.clone();
            async move {
                let other = tokio::spawn({
                    let told = told.clone();
                    async move { told.store(true, Ordering::SeqCst) }
                });
                turn().await.spend(|| {
                    while !told.load(Ordering::SeqCst) {
                        std::thread::yield_now();
                    }
                });
                other.await
            }
        };
        runtime.block_on(async { tokio::spawn(guest).await }).expect("no panic").expect("no panic");
    }

    #[tokio::test]
    async fn as_many_compute_as_there_are_processors_and_the_next_one_when_it_is_its_turn() {
        let mut computing = Vec::new();
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            computing.push(turn().await);
        }
        let mut next = Box::pin(turn());
        assert!(futures_util::poll!(&mut next).is_pending());
        computing.pop();
        assert!(matches!(next.await, Taken::Turn(_)));
    }

    #[tokio::test]
    async fn who_is_quick_waits_for_nobody() {
        let _all = TURNS.acquire_many(TURNS.available_permits() as u32).await;
        assert!(matches!(poll_fn(|context| Turn::default().poll(context)).await, Taken::None));
    }
}
