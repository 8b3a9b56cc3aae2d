//! When something is due next, a workflow's timer or a retry, as far as this worker knows: a hint for the loops that look for it, which
//! find what it does not know by polling.

use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The earliest time at which waking may find something.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    next: Mutex<Option<Instant>>,
    sooner: Notify,
}

impl Timers {
    /// A workflow was suspended at `at`, until a timer is due: one on record, or one that was recorded just now.
    pub(crate) fn expect(&self, at: DateTime<Utc>, until: Option<DateTime<Utc>>, new_timer_ms: Option<u64>) {
        let recorded = until.map(|until| (until - at).to_std().unwrap_or_default());
        let new = new_timer_ms.map(Duration::from_millis);
        if let Some(wait) = recorded.into_iter().chain(new).min() {
            self.expect_in(wait);
        }
    }

    /// Something is due after this long.
    pub(crate) fn expect_in(&self, wait: Duration) {
        // Nothing that lies far ahead needs a hint: the poll will tell.
        let Some(at) = Instant::now().checked_add(wait) else { return };
        let mut next = self.next.lock().expect("no panic while held");
        if next.is_none_or(|known| at < known) {
            *next = Some(at);
            self.sooner.notify_one();
        }
    }

    /// Waits until something is due, at most this long.
    pub(crate) async fn wait(&self, at_most: Duration) {
        let limit = Instant::now() + at_most;
        loop {
            let next = *self.next.lock().expect("no panic while held");
            let until = next.map_or(limit, |next| next.min(limit));
            tokio::select! {
                () = tokio::time::sleep_until(until) => {
                    let mut next = self.next.lock().expect("no panic while held");
                    if next.is_some_and(|next| next <= Instant::now()) {
                        *next = None;
                    }
                    return;
                }
                () = self.sooner.notified() => {}
            }
        }
    }
}
