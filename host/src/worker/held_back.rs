//! Queues in which something waits that their limits do not allow now, as far as this worker knows: so that it does not ask again before
//! the next token comes, or one of its own runs there has ended. A hint about the queue opens it, and so does time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

/// For how long nobody looks, when something happened while it was being looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What is held back, and until when.
#[derive(Debug, Default)]
pub(crate) struct HeldBack(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    until: HashMap<String, Instant>,
    releases: u64,
}

impl HeldBack {
    /// In these queues, and in no others, something waits. Answers those that may be tried now, and when the next one may.
    pub(crate) fn waiting(&self, queues: Vec<String>) -> (Vec<String>, Option<Duration>) {
        let now = Instant::now();
        let mut known = self.known();
        known.until.retain(|queue, _| queues.contains(queue));
        let (open, closed): (Vec<_>, Vec<_>) =
            queues.into_iter().partition(|queue| *known.until.entry(queue.clone()).or_insert(now) <= now);
        let next = closed.iter().filter_map(|queue| known.until.get(queue)).min().map(|until| *until - now);
        (open, next)
    }

    /// To be asked before a claim, and told to `hold` after it.
    pub(crate) fn releases(&self) -> u64 {
        self.known().releases
    }

    /// Nothing can be claimed from this queue for so long; unless something was released since, then not for a moment.
    pub(crate) fn hold(&self, queue: String, pause: Duration, releases: u64) -> Duration {
        let mut known = self.known();
        let pause = if known.releases == releases { pause } else { pause.min(LOOK_AGAIN) };
        known.until.insert(queue, Instant::now() + pause);
        pause
    }

    /// Something has changed in this queue. True if something waits there.
    pub(crate) fn release(&self, queue: &str) -> bool {
        let mut known = self.known();
        known.releases += 1;
        match known.until.get_mut(queue) {
            Some(until) => {
                *until = Instant::now();
                true
            }
            None => false,
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().expect("no panic while held")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Vec<String> {
        vec!["mail".into()]
    }

    #[test]
    fn a_queue_is_left_alone_until_its_time_or_a_release() {
        let held = HeldBack::default();
        assert!(!held.release("mail"), "nothing waits there");
        assert_eq!(held.waiting(one()), (one(), None));
        held.hold("mail".into(), Duration::from_secs(3600), held.releases());
        let (open, next) = held.waiting(one());
        assert!(open.is_empty() && next > Some(Duration::from_secs(3500)), "{open:?} {next:?}");
        assert!(held.release("mail"));
        assert_eq!(held.waiting(one()), (one(), None));
        held.hold("mail".into(), Duration::ZERO, held.releases());
        assert_eq!(held.waiting(one()), (one(), None), "its time has come");
        held.hold("mail".into(), Duration::from_secs(3600), held.releases());
        assert_eq!(held.waiting(Vec::new()), (Vec::new(), None));
        assert!(!held.release("mail"), "nothing waits there any more");
    }

    #[test]
    fn what_ended_during_the_claim_is_not_forgotten() {
        let held = HeldBack::default();
        held.waiting(one());
        let before = held.releases();
        held.release("mail");
        assert_eq!(held.hold("mail".into(), Duration::from_secs(5), before), LOOK_AGAIN);
    }
}
