//! Where the next claim looks.
//!
//! A line is claimed from its front, so that is where its dead rows are, until they are vacuumed. A claim that begins at the front walks past
//! all of them; one that begins where the last claim ended walks past none. A line that is not known yet is told by a hint. What would be
//! overlooked is found by a look everywhere: lines of which no hint came, and what is older than where the last claim ended, because somebody's transaction took long, or
//! gave it back. So that look is made often, and seldom enough to cost little, however much is dead: after a claim that left slots free ten
//! times a second, otherwise once a second, and never for more than a tenth of the time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use currant_core::executions::claim::{Claimed, Claims, Level, Look};

/// Between looks everywhere, while there are free slots.
const WITH_FREE_SLOTS: Duration = Duration::from_millis(100);
/// The same, while there is more than can be claimed.
const WHEN_FULL: Duration = Duration::from_secs(1);
/// A look everywhere takes at most one part in so many of the time.
const SHARE: u32 = 10;
/// What was enqueued before what was claimed last may be committed after it: transactions take a moment.
const SLACK: TimeDelta = TimeDelta::milliseconds(200);
/// A line in which nothing was found for so long is forgotten.
const KEPT: Duration = Duration::from_secs(60);
/// With more lines than this, telling them costs as much as looking everywhere.
const AT_MOST: usize = 1000;

/// What a worker knows of the lines that it claims from.
#[derive(Default)]
pub(super) struct Levels {
    known: HashMap<Level, Known>,
    everywhere: Option<Everywhere>,
    /// When queues with limits were last looked through as a whole, if that was within the last second.
    whole: HashMap<String, Instant>,
    /// The last claim found as many as it asked for.
    full: bool,
}

struct Known {
    /// How far it is claimed.
    since: DateTime<Utc>,
    found: Instant,
}

/// The last look everywhere.
struct Everywhere {
    at: Instant,
    took: Duration,
}

impl Levels {
    /// Where to look now.
    pub(super) fn look(&self) -> Look {
        if self.known.is_empty() || self.known.len() > AT_MOST || self.everywhere_in().is_zero() {
            return Look::Everywhere;
        }
        Look::From(self.known.iter().map(|(level, known)| (level.clone(), known.since)).collect())
    }

    /// From when on to look in the lines of these queues with limits. They are tried when their limits let go, which may never be together with
    /// a look everywhere: so each of them is looked through as a whole once a second.
    pub(super) fn look_within(&mut self, queues: &[String]) -> Look {
        self.whole.retain(|_, looked| looked.elapsed() < WHEN_FULL);
        let (known, whole): (Vec<_>, Vec<_>) = queues.iter().partition(|queue| self.whole.contains_key(*queue));
        self.whole.extend(whole.into_iter().map(|queue| (queue.clone(), Instant::now())));
        let places = self.known.iter().filter(|((queue, _), _)| known.contains(&queue));
        Look::From(places.map(|(level, known)| (level.clone(), known.since)).collect())
    }

    /// Takes in where something became ready: a line that was not known need not wait for a look everywhere.
    pub(super) fn told(&mut self, lines: impl IntoIterator<Item = (String, Option<i16>)>) {
        for (queue, priority) in lines {
            match priority {
                Some(priority) => {
                    let unknown = || Known { since: DateTime::UNIX_EPOCH, found: Instant::now() };
                    self.known.entry((queue, priority)).or_insert_with(unknown);
                }
                None => self.everywhere = None,
            }
        }
    }

    /// How long until the next look everywhere.
    pub(super) fn everywhere_in(&self) -> Duration {
        let Some(last) = &self.everywhere else { return Duration::ZERO };
        let pause = if self.full { WHEN_FULL } else { WITH_FREE_SLOTS };
        pause.max(last.took * SHARE).saturating_sub(last.at.elapsed())
    }

    /// Takes in what a claim of so many that began at this time has found.
    pub(super) fn learn(&mut self, began: Instant, asked: usize, claims: &Claims) {
        let now = Instant::now();
        self.full = claims.claimed.len() >= asked;
        if let Some(levels) = &claims.levels {
            self.everywhere = Some(Everywhere { at: now, took: now - began });
            for level in levels {
                self.known.entry(level.clone()).or_insert(Known { since: DateTime::UNIX_EPOCH, found: now }).found = now;
            }
            self.known.retain(|_, known| known.found.elapsed() < KEPT);
        }
        self.came_to(&claims.claimed);
    }

    /// Takes in how far lines are claimed.
    pub(super) fn came_to(&mut self, claimed: &[Claimed]) {
        let now = Instant::now();
        for claimed in claimed {
            if let Some(known) = self.known.get_mut(&(claimed.queue.to_string(), claimed.priority)) {
                known.since = known.since.max(claimed.run_at - SLACK);
                known.found = now;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use currant_core::executions::claim::Claims;

    use super::*;

    fn everywhere(levels: &[(&str, i16)]) -> Claims {
        let levels = levels.iter().map(|(queue, priority)| (queue.to_string(), *priority)).collect();
        Claims { claimed: Vec::new(), contended: false, next: None, limited: Vec::new(), levels: Some(levels) }
    }

    #[test]
    fn who_knows_no_line_looks_everywhere() {
        let mut levels = Levels::default();
        assert!(matches!(levels.look(), Look::Everywhere));
        levels.learn(Instant::now(), 10, &everywhere(&[]));
        assert!(matches!(levels.look(), Look::Everywhere), "a line that is new would wait for the next look otherwise");
    }

    #[test]
    fn who_has_just_looked_everywhere_looks_into_the_lines_it_found() {
        let mut levels = Levels::default();
        levels.learn(Instant::now(), 10, &everywhere(&[("mail", 0), ("mail", 5)]));
        let Look::From(places) = levels.look() else { panic!("it looked everywhere a moment ago") };
        assert_eq!(places.len(), 2);
        assert!(levels.everywhere_in() <= WITH_FREE_SLOTS, "slots were free: what was overlooked could begin");
    }

    #[test]
    fn a_line_that_is_told_is_looked_into_at_once() {
        let mut levels = Levels::default();
        levels.learn(Instant::now(), 10, &everywhere(&[("mail", 0)]));
        levels.told([("mail".to_owned(), Some(0)), ("mail".to_owned(), Some(7)), ("money".to_owned(), Some(0))]);
        let Look::From(places) = levels.look() else { panic!("it looked everywhere a moment ago") };
        assert_eq!(places.len(), 3);
        levels.told([("mail".to_owned(), None)]);
        assert!(matches!(levels.look(), Look::Everywhere), "a queue that goes on may have any");
    }

    #[test]
    fn a_queue_with_limits_is_looked_through_as_a_whole_first_and_then_from_where_it_was_claimed() {
        let mut levels = Levels::default();
        levels.learn(Instant::now(), 10, &everywhere(&[("mail", 0), ("money", 0)]));
        let places = |look| match look {
            Look::From(places) => places.into_iter().map(|((queue, _), _)| queue).collect::<Vec<_>>(),
            Look::Everywhere => panic!("only these queues are asked for"),
        };
        let both = ["mail", "money"].map(String::from);
        let [mail, money] = [&both[..1], &both[1..]];
        assert!(places(levels.look_within(mail)).is_empty());
        assert_eq!(places(levels.look_within(&both)), mail);
        assert_eq!(places(levels.look_within(money)), money);
        let earlier = Instant::now().checked_sub(WHEN_FULL).expect("the machine runs for longer");
        levels.whole.insert("mail".into(), earlier);
        assert!(places(levels.look_within(mail)).is_empty(), "a second ago");
    }

    #[test]
    fn a_look_everywhere_that_takes_long_is_made_seldom() {
        let mut levels = Levels::default();
        let began = Instant::now().checked_sub(Duration::from_secs(2)).expect("the machine runs for longer");
        levels.learn(began, 10, &everywhere(&[("mail", 0)]));
        assert!(levels.everywhere_in() > Duration::from_secs(15));
    }

    #[test]
    fn too_many_lines_are_not_told_one_by_one() {
        let mut levels = Levels::default();
        let many: Vec<_> = (0..=AT_MOST).map(|number| ("mail", i16::try_from(number).expect("few"))).collect();
        levels.learn(Instant::now(), 10, &everywhere(&many));
        assert!(matches!(levels.look(), Look::Everywhere));
    }
}
