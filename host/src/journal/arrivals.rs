//! News that was loaded and not delivered, by whom it is for.
//!
//! A wait looks at what it waits for and at what has arrived, whichever is less: a workflow with thousands of children in flight pays for
//! each of them once, and not again at every wait.

use std::collections::{BTreeMap, HashMap};

use currant_core::inbox::{News, NewsKind};

use super::operations::{Awaited, Operations};

/// News in the order of arrival, of each kind apart.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Up to this arrival nothing is to be loaded any more.
    seen: i32,
    completions: BTreeMap<i32, News>,
    /// The arrival of the news for an operation.
    by_operation: HashMap<u32, i32>,
    signals: HashMap<String, BTreeMap<i32, News>>,
    cancel: Option<News>,
    /// Of no use to anybody any more: to be deleted with the next write.
    useless: Vec<i32>,
}

/// What is next in line for a wait.
pub(super) struct Next {
    arrival: i32,
    /// Who is given it; none for a cancellation, which is the workflow's own.
    pub(super) operation: Option<u32>,
}

impl Arrivals {
    pub(super) fn seen(&self) -> i32 {
        self.seen
    }

    /// What has arrived up to here was loaded, delivered to an earlier run, or is gone.
    pub(super) fn saw(&mut self, arrivals: i32) {
        self.seen = self.seen.max(arrivals);
    }

    /// Takes in what was not seen before. What is for an earlier chain, for an operation that is over, or was said before, is of no use.
    pub(super) fn add(&mut self, news: News, chain: i32, operations: &Operations, cancelled: bool) {
        if news.arrival <= self.seen {
            return;
        }
        self.seen = news.arrival;
        match &news.kind {
            NewsKind::Completion { chain: of, operation, .. } => {
                let is_over = operations.is_open(*operation).is_ok_and(|open| !open);
                if *of != chain || is_over || self.by_operation.contains_key(operation) {
                    return self.useless.push(news.arrival);
                }
                self.by_operation.insert(*operation, news.arrival);
                self.completions.insert(news.arrival, news);
            }
            NewsKind::Signal { name, .. } => {
                self.signals.entry(name.clone()).or_default().insert(news.arrival, news);
            }
            NewsKind::Cancel if cancelled || self.cancel.is_some() => self.useless.push(news.arrival),
            NewsKind::Cancel => self.cancel = Some(news),
        }
    }

    /// The operation was delivered or given up: what arrives for it is nobody's.
    pub(super) fn operation_is_over(&mut self, operation: u32) {
        if let Some(arrival) = self.by_operation.remove(&operation) {
            self.completions.remove(&arrival);
            self.useless.push(arrival);
        }
    }

    /// The workflow knows that it is cancelled.
    pub(super) fn cancellation_is_known(&mut self) {
        self.useless.extend(self.cancel.take().map(|news| news.arrival));
    }

    /// What is of no use, once.
    pub(super) fn take_useless(&mut self) -> Vec<i32> {
        std::mem::take(&mut self.useless)
    }

    /// The earliest news for a wait.
    pub(super) fn next(
        &self,
        among: &[u32],
        awaited: &Awaited,
        operations: &Operations,
        tell_cancellation: bool,
    ) -> Option<Next> {
        let completion = if among.len() < self.completions.len() {
            among.iter().filter_map(|number| Some((*self.by_operation.get(number)?, *number))).min()
        } else {
            self.completions.values().find_map(|news| match news.kind {
                NewsKind::Completion { operation, .. } if operations.is_awaited(operation) => Some((news.arrival, operation)),
                _ => None,
            })
        };
        let signal = awaited.receivers.iter().filter_map(|number| {
            let name = operations.signal_of(*number)?;
            let (arrival, _) = self.signals.get(name)?.first_key_value()?;
            Some((*arrival, *number))
        });
        let cancel = self.cancel.iter().filter(|_| tell_cancellation).map(|news| (news.arrival, None));
        completion
            .into_iter()
            .chain(signal)
            .map(|(arrival, operation)| (arrival, Some(operation)))
            .chain(cancel)
            .min()
            .map(|(arrival, operation)| Next { arrival, operation })
    }

    /// The news itself.
    pub(super) fn get(&self, next: &Next, operations: &Operations) -> &News {
        let found = self.completions.get(&next.arrival).or_else(|| match next.operation {
            Some(number) => self.signals.get(operations.signal_of(number)?)?.get(&next.arrival),
            None => self.cancel.as_ref(),
        });
        found.expect("it was just found")
    }

    /// Hands the news out.
    pub(super) fn take(&mut self, next: &Next, operations: &Operations) -> News {
        if let Some(news) = self.completions.remove(&next.arrival) {
            if let Some(number) = next.operation {
                self.by_operation.remove(&number);
            }
            return news;
        }
        let taken = match next.operation {
            Some(number) => operations.signal_of(number).and_then(|name| self.signals.get_mut(name)?.remove(&next.arrival)),
            None => self.cancel.take(),
        };
        taken.expect("it was just found")
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use currant_core::values::Json;

    use super::super::operations::Operation;
    use super::*;

    fn completion(arrival: i32, operation: u32) -> News {
        let kind = NewsKind::Completion { chain: 1, operation, outcome: Ok(Json::null()) };
        News { arrival, kind, at: DateTime::UNIX_EPOCH }
    }

    /// Three operations, of which the third completed first, and then the first and the second.
    fn arrived() -> (Arrivals, Operations) {
        let (mut arrivals, mut operations) = (Arrivals::default(), Operations::default());
        for _ in 0..3 {
            operations.add(Operation::External);
        }
        for (arrival, operation) in [(1, 3), (2, 1), (3, 2)] {
            arrivals.add(completion(arrival, operation), 1, &operations, false);
        }
        (arrivals, operations)
    }

    #[test]
    fn the_earliest_is_found_whether_the_wait_or_the_news_is_looked_through() {
        let (arrivals, mut operations) = arrived();
        for (among, earliest) in [(vec![2], 2), (vec![1, 2], 1), (vec![1, 2, 3], 3), (vec![3, 2, 1], 3)] {
            let awaited = operations.begin_wait(&among, DateTime::UNIX_EPOCH).unwrap();
            let next = arrivals.next(&among, &awaited, &operations, true).unwrap();
            assert_eq!(next.operation, Some(earliest), "{among:?}");
        }
    }

    #[test]
    fn what_is_for_nobody_is_of_no_use_once() {
        let (mut arrivals, operations) = arrived();
        arrivals.operation_is_over(1);
        arrivals.add(completion(4, 2), 1, &operations, false);
        arrivals.add(completion(5, 1), 2, &operations, false);
        arrivals.add(completion(5, 3), 1, &operations, false);
        assert_eq!(arrivals.take_useless(), [2, 4, 5]);
        assert!(arrivals.take_useless().is_empty());
        assert_eq!(arrivals.seen(), 5);
    }
}
