//! The runs of a worker by execution, so that others can reach them.

use std::collections::HashMap;
use std::sync::Mutex;

use currant_core::ids::ExecutionId;

use crate::guest::{Stop, StopFlag};

/// Something that can be asked to stop.
pub(crate) trait Stoppable {
    fn stop_flag(&self) -> &StopFlag;
}

/// What runs now.
pub(crate) struct Registry<T>(Mutex<HashMap<ExecutionId, T>>);

impl<T> Default for Registry<T> {
    fn default() -> Registry<T> {
        Registry(Mutex::default())
    }
}

impl<T: Clone> Registry<T> {
    /// Enters a run; it leaves when the answer is dropped.
    pub(crate) fn enter(&self, id: ExecutionId, run: T) -> Entered<'_, T> {
        self.runs().insert(id, run);
        Entered { registry: self, id }
    }

    pub(crate) fn get(&self, id: ExecutionId) -> Option<T> {
        self.runs().get(&id).cloned()
    }

    pub(crate) fn map<R>(&self, mut f: impl FnMut(ExecutionId, &T) -> R) -> Vec<R> {
        self.runs().iter().map(|(id, run)| f(*id, run)).collect()
    }

    pub(crate) fn for_each(&self, f: impl FnMut(&T)) {
        self.runs().values().for_each(f);
    }

    fn runs(&self) -> std::sync::MutexGuard<'_, HashMap<ExecutionId, T>> {
        self.0.lock().expect("no panic while held")
    }
}

impl<T: Clone + Stoppable> Registry<T> {
    pub(crate) fn stop_all(&self, reason: Stop) {
        self.for_each(|run| run.stop_flag().stop(reason));
    }
}

/// Keeps a run in its registry.
pub(crate) struct Entered<'a, T: Clone> {
    registry: &'a Registry<T>,
    id: ExecutionId,
}

impl<T: Clone> Drop for Entered<'_, T> {
    fn drop(&mut self) {
        self.registry.runs().remove(&self.id);
    }
}
