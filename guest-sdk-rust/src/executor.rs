//! Polls a workflow until it is done, and asks the host for what it waits for.
//!
//! ```text
//!   poll the workflow ─ ready ──────────────────────────────► its result
//!        ▲   │ pending
//!        │   ├─ somebody woke it meanwhile ───────────────► poll again
//!        │   ├─ a step is queued ─ its turn: everything else is parked ─► poll again
//!        │   ├─ operations are awaited ─ wait ─ hand over ─► poll again
//!        │   └─ none of these ────────────────────────────► failure `stuck`
//!        └───────────────────────────────────────────────────────┘
//! ```
//!
//! One thread, one future, no spawning: the order of polls follows from the code and from the order of deliveries, which the host
//! records. So a replay takes the same way.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::Failure;
use crate::functions::{Flow, Outcome};
use crate::host::{Delivery, Host, Number, Request};

#[cfg(test)]
mod tests;

thread_local! {
    /// The run that is being polled. Natively a stack: the test kit runs a child workflow inside its parent.
    static CURRENT: RefCell<Vec<Rc<Run>>> = const { RefCell::new(Vec::new()) };
}

/// Runs a workflow to its end. Also says whether its cancellation was requested.
pub(crate) fn drive(host: Rc<dyn Host>, mut flow: Flow) -> (Outcome, bool) {
    let run = Rc::new(Run { host, state: RefCell::default() });
    CURRENT.with_borrow_mut(|runs| runs.push(Rc::clone(&run)));
    let outcome = run.drive(&mut flow);
    run.state.borrow_mut().ending = true;
    drop(flow);
    CURRENT.with_borrow_mut(|runs| runs.pop());
    (outcome, run.is_cancelled())
}

/// The run that is being polled, if one is.
pub(crate) fn current() -> Option<Rc<Run>> {
    CURRENT.with_borrow(|runs| runs.last().cloned())
}

/// What a durable operation answers outside a workflow.
pub(crate) fn no_workflow(what: &str) -> Failure {
    Failure::new("not-in-workflow", format!("{what} is only possible in a workflow")).not_retryable()
}

/// One run of a workflow: what it has started, and what it waits for.
pub(crate) struct Run {
    pub(crate) host: Rc<dyn Host>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// Started, and not yet handed over to a future.
    operations: BTreeMap<Number, Slot>,
    /// Those that somebody waits for, sorted, so that the host is asked in the same order on every replay. Kept, and not gathered at each wait:
    /// a workflow with thousands of children waits thousands of times.
    awaited: Vec<Number>,
    steps: VecDeque<(u64, Waker)>,
    steps_asked: u64,
    /// The step that may run at the next poll.
    turn: Option<u64>,
    cancelled: bool,
    /// `continue_as_new` was called; only the test kit gets to see this.
    continued: bool,
    /// The workflow is over: what is dropped now was not given up by it.
    ending: bool,
}

struct Slot {
    /// Whether it goes on when this workflow gives it up.
    detached: bool,
    progress: Progress,
}

enum Progress {
    /// Started, and nobody has asked for it yet.
    Started,
    Awaited(Waker),
    Delivered(Outcome),
}

impl State {
    fn is_awaited(&mut self, number: Number) {
        if let Err(place) = self.awaited.binary_search(&number) {
            self.awaited.insert(place, number);
        }
    }

    fn is_awaited_no_more(&mut self, number: Number) {
        if let Ok(place) = self.awaited.binary_search(&number) {
            self.awaited.remove(place);
        }
    }

    fn remove(&mut self, number: Number) -> Option<Slot> {
        self.is_awaited_no_more(number);
        self.operations.remove(&number)
    }
}

impl Run {
    fn drive(&self, flow: &mut Flow) -> Outcome {
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&woken));
        loop {
            woken.0.store(false, Ordering::Relaxed);
            if let Poll::Ready(outcome) = flow.as_mut().poll(&mut Context::from_waker(&waker)) {
                return outcome;
            }
            if self.state.borrow().continued {
                return Ok("null".to_owned());
            }
            if woken.0.load(Ordering::Relaxed) || self.give_a_step_its_turn() {
                continue;
            }
            let awaited = self.awaited();
            if awaited.is_empty() {
                return Err(stuck(
                    "it awaits a future that nothing durable will wake: only tasks, workflows, steps, timers, signals \
                    and what is made of them can be awaited",
                ));
            }
            match self.host.wait(&awaited) {
                Delivery::Completed(number, outcome) => self.deliver(number, outcome),
                Delivery::Cancelled => self.interrupt(),
                Delivery::Never(reason) => return Err(stuck(&reason)),
            }
        }
    }

    pub(crate) fn start(&self, request: Request) -> Number {
        let detached = matches!(request, Request::Workflow { detached: true, .. });
        let number = self.host.start(request);
        self.started(number, detached);
        number
    }

    pub(crate) fn external(&self) -> (Number, String) {
        let (number, token) = self.host.external();
        self.started(number, false);
        (number, token)
    }

    fn started(&self, number: Number, detached: bool) {
        self.state.borrow_mut().operations.insert(number, Slot { detached, progress: Progress::Started });
    }

    /// Hands over the outcome if it was delivered; otherwise the waker is called when it is.
    pub(crate) fn poll(&self, number: Number, waker: &Waker) -> Poll<Outcome> {
        let mut state = self.state.borrow_mut();
        let Some(slot) = state.operations.get_mut(&number) else { return Poll::Pending };
        if let Progress::Delivered(_) = slot.progress {
            let slot = state.operations.remove(&number);
            let Some(Slot { progress: Progress::Delivered(outcome), .. }) = slot else { return Poll::Pending };
            return Poll::Ready(outcome);
        }
        // A waker can own futures of the workflow, whose end asks for the state again: it is dropped when that is free.
        let before = std::mem::replace(&mut slot.progress, Progress::Awaited(waker.clone()));
        if let Progress::Started = before {
            state.is_awaited(number);
        }
        drop(state);
        drop(before);
        Poll::Pending
    }

    /// The future of this operation is gone: nobody will ever ask for it again.
    pub(crate) fn give_up(&self, number: Number) {
        let mut state = self.state.borrow_mut();
        let Some(slot) = state.remove(number) else { return };
        let over = state.ending || matches!(slot.progress, Progress::Delivered(_));
        drop(state);
        if !over && !slot.detached {
            self.host.cancel(number);
        }
    }

    /// Forgets the operation, which goes on by itself.
    pub(crate) fn let_go(&self, number: Number) {
        let slot = self.state.borrow_mut().remove(number);
        drop(slot);
    }

    /// A number for a step that waits for its turn.
    pub(crate) fn ask_for_turn(&self, waker: &Waker) -> u64 {
        let mut state = self.state.borrow_mut();
        state.steps_asked += 1;
        let ticket = state.steps_asked;
        state.steps.push_back((ticket, waker.clone()));
        ticket
    }

    /// Whether it is this step's turn; the turn is taken by asking. If not, its waker is replaced.
    pub(crate) fn take_turn(&self, ticket: u64, waker: &Waker) -> bool {
        let mut state = self.state.borrow_mut();
        if state.turn == Some(ticket) {
            state.turn = None;
            return true;
        }
        let queued = state.steps.iter_mut().find(|(queued, _)| *queued == ticket);
        let before = match queued {
            Some((_, queued)) => Some(std::mem::replace(queued, waker.clone())),
            // It had a turn and was not polled then.
            None => {
                state.steps.push_back((ticket, waker.clone()));
                None
            }
        };
        drop(state);
        drop(before);
        false
    }

    pub(crate) fn drop_ticket(&self, ticket: u64) {
        let mut state = self.state.borrow_mut();
        let position = state.steps.iter().position(|(queued, _)| *queued == ticket);
        let queued = position.and_then(|position| state.steps.remove(position));
        drop(state);
        drop(queued);
    }

    fn give_a_step_its_turn(&self) -> bool {
        let mut state = self.state.borrow_mut();
        let next = state.steps.pop_front();
        state.turn = next.as_ref().map(|(ticket, _)| *ticket);
        drop(state);
        next.map(|(_, waker)| waker.wake()).is_some()
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.state.borrow().cancelled
    }

    pub(crate) fn continue_as_new(&self, input: &str) {
        self.host.continue_as_new(input);
        self.state.borrow_mut().continued = true;
    }

    fn awaited(&self) -> Vec<Number> {
        self.state.borrow().awaited.clone()
    }

    fn deliver(&self, number: Number, outcome: Outcome) {
        let mut state = self.state.borrow_mut();
        let Some(slot) = state.operations.get_mut(&number) else { return };
        let before = std::mem::replace(&mut slot.progress, Progress::Delivered(outcome));
        state.is_awaited_no_more(number);
        drop(state);
        if let Progress::Awaited(waker) = before {
            waker.wake();
        }
    }

    /// Everything that the workflow waits for at this moment answers `cancelled`, and is given up.
    fn interrupt(&self) {
        self.state.borrow_mut().cancelled = true;
        for number in self.awaited() {
            let detached = self.state.borrow().operations.get(&number).is_some_and(|slot| slot.detached);
            if !detached {
                self.host.cancel(number);
            }
            self.deliver(number, Err(Failure::cancelled()));
        }
    }
}

fn stuck(reason: &str) -> Failure {
    Failure::new("stuck", format!("the workflow can never go on: {reason}")).not_retryable()
}

/// Whether the workflow was woken while it was polled.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
