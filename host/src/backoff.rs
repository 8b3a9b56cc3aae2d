//! Waiting between attempts at something that does not answer.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// Doubles from 50 ms to 2 s: short enough that work goes on soon after a restart of Postgres, long enough to leave it alone meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    waits: u32,
}

impl Backoff {
    /// Whether nothing has been waited for yet: the moment to say what is wrong, once.
    pub(crate) fn first(&self) -> bool {
        self.waits == 0
    }

    /// Waits the next time.
    pub(crate) async fn wait(&mut self) {
        let pause = FIRST.saturating_mul(1 << self.waits.min(10)).min(LONGEST);
        self.waits = self.waits.saturating_add(1);
        tokio::time::sleep(pause.mul_f64(rand::random_range(0.8..1.0))).await;
    }

    /// It answered.
    pub(crate) fn reset(&mut self) {
        self.waits = 0;
    }
}
