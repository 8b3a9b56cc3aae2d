//! The runs of a worker by execution, so that others can reach them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use currant_core::ids::ExecutionId;

use crate::guest::{Stop, StopFlag};

/// Something that can be asked to stop.
pub(crate) trait Stoppable {
    fn stop_flag(&self) -> &StopFlag;
}

/// What runs now.
pub(crate) struct Registry<T>(Arc<Mutex<Runs<T>>>);

struct Runs<T> {
    by_id: HashMap<ExecutionId, (u64, T)>,
    /// Tells two runs of one execution apart, while the first is still leaving.
    drawn: u64,
}

impl<T> Default for Registry<T> {
    fn default() -> Registry<T> {
        Registry(Arc::new(Mutex::new(Runs { by_id: HashMap::new(), drawn: 0 })))
    }
}

impl<T: Clone> Registry<T> {
    /// Enters a run; it leaves when the answer is dropped.
    pub(crate) fn enter(&self, id: ExecutionId, run: T) -> Entered<T> {
        let mut runs = self.runs();
        runs.drawn += 1;
        let number = runs.drawn;
        runs.by_id.insert(id, (number, run));
        Entered { runs: self.0.clone(), id, number }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs().by_id.is_empty()
    }

    pub(crate) fn get(&self, id: ExecutionId) -> Option<T> {
        self.runs().by_id.get(&id).map(|(_, run)| run.clone())
    }

    pub(crate) fn map<R>(&self, mut f: impl FnMut(ExecutionId, &T) -> R) -> Vec<R> {
        self.runs().by_id.iter().map(|(id, (_, run))| f(*id, run)).collect()
    }

    pub(crate) fn for_each(&self, mut f: impl FnMut(&T)) {
        self.runs().by_id.values().for_each(|(_, run)| f(run));
    }

    fn runs(&self) -> MutexGuard<'_, Runs<T>> {
        self.0.lock().expect("no panic while held")
    }
}

impl<T: Clone + Stoppable> Registry<T> {
    pub(crate) fn stop_all(&self, reason: Stop) {
        self.for_each(|run| run.stop_flag().stop(reason));
    }
}

/// Keeps a run in its registry.
pub(crate) struct Entered<T> {
    runs: Arc<Mutex<Runs<T>>>,
    id: ExecutionId,
    number: u64,
}

impl<T> Drop for Entered<T> {
    fn drop(&mut self) {
        let mut runs = self.runs.lock().expect("no panic while held");
        if runs.by_id.get(&self.id).is_some_and(|(number, _)| *number == self.number) {
            runs.by_id.remove(&self.id);
        }
    }
}
