//! How many executions a worker claims ahead of its slots.
//!
//! A claim costs the database nearly the same for one execution as for twenty, so a worker whose guests return within microseconds would spend
//! more on claims than on anything else if it made one whenever a slot comes free. It claims what it is going to begin within the next moment,
//! at the pace of the last one. Slow guests make that nothing: what another worker could begin now is left to it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How far ahead. What is claimed waits half as long at most, unless the guests become slower all of a sudden.
const AHEAD: Duration = Duration::from_millis(20);
/// The pace is that of the last so long.
const WINDOW: Duration = Duration::from_millis(100);

/// Counts the guests that return.
pub(super) struct Pace(Mutex<Window>);

struct Window {
    began: Instant,
    returned: u32,
    /// Of the window before.
    per_window: f64,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace(Mutex::new(Window { began: Instant::now(), returned: 0, per_window: 0.0 }))
    }
}

impl Pace {
    /// A guest has returned.
    pub(super) fn returned(&self) {
        self.window().returned += 1;
    }

    /// How many are going to begin within the next moment.
    pub(super) fn ahead(&self) -> usize {
        let mut window = self.window();
        let passed = window.began.elapsed();
        if passed >= WINDOW {
            let per_window = f64::from(window.returned) * WINDOW.div_duration_f64(passed);
            *window = Window { began: Instant::now(), returned: 0, per_window };
        }
        (window.per_window * AHEAD.div_duration_f64(WINDOW)) as usize
    }

    fn window(&self) -> std::sync::MutexGuard<'_, Window> {
        self.0.lock().expect("no panic while held")
    }
}
