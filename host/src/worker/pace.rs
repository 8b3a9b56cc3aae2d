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
        Pace(Mutex::new(Window::from(Instant::now())))
    }
}

impl Pace {
    /// A guest has returned.
    pub(super) fn returned(&self) {
        self.window().returned += 1;
    }

    /// How many are going to begin within the next moment.
    pub(super) fn ahead(&self) -> usize {
        self.window().ahead(Instant::now())
    }

    fn window(&self) -> std::sync::MutexGuard<'_, Window> {
        self.0.lock().expect("no panic while held")
    }
}

impl Window {
    fn from(began: Instant) -> Window {
        Window { began, returned: 0, per_window: 0.0 }
    }

    fn ahead(&mut self, now: Instant) -> usize {
        let passed = now.duration_since(self.began);
        if passed >= WINDOW {
            let per_window = f64::from(self.returned) * WINDOW.div_duration_f64(passed);
            *self = Window { per_window, ..Window::from(now) };
        }
        (self.per_window * AHEAD.div_duration_f64(WINDOW)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_what_returned_in_the_last_window_is_claimed_ahead() {
        let began = Instant::now();
        let mut window = Window::from(began);
        window.returned = 500;
        assert_eq!(window.ahead(began + WINDOW / 2), 0, "no window is over");
        assert_eq!(window.ahead(began + WINDOW), 100);
        window.returned = 7;
        assert_eq!(window.ahead(began + WINDOW * 3 / 2), 100, "it is the pace until the next one is over");
    }

    #[test]
    fn who_is_slow_claims_nothing_ahead() {
        let began = Instant::now();
        let mut window = Window::from(began);
        window.returned = 500;
        assert_eq!(window.ahead(began + 100 * WINDOW), 1, "spread over the whole time");
        assert_eq!(window.ahead(began + 101 * WINDOW), 0, "nothing has returned since");
    }
}
