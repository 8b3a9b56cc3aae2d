//! Workflows that wait in memory.
//!
//! To the database a workflow that waits is suspended, whether or not a worker keeps its instance. Keeping it is a cache: when the worker
//! claims the workflow again, and nobody has run it meanwhile, the instance goes on where it stands instead of being replayed. So nothing
//! rests on it, dropping one needs no word to anybody, and a worker that dies takes nothing with it.
//!
//! Dropped is who waits for too long, and who was put here first when there are too many, or when the worker uses too much memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use currant_core::executions::claim::Claimed;
use currant_core::ids::ExecutionId;
use currant_core::inbox::News;
use currant_core::workers;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::services::{Hands, Services};
use super::settings::ResidentSettings;
use crate::error::causes;
use crate::guest::Grants;

/// How often to look whether the worker uses too much memory, or somebody waits for too long.
const LOOK: Duration = Duration::from_secs(1);
/// That look comes sooner when so many have been put here since.
const LOOK_AFTER: u64 = 100;

/// The waiting workflows that a worker keeps in memory.
pub(crate) struct Residents {
    settings: ResidentSettings,
    all: Arc<Mutex<All>>,
}

#[derive(Default)]
struct All {
    by_id: HashMap<ExecutionId, Resident>,
    /// By age: the numbers are drawn one after the other.
    by_age: BTreeMap<u64, ExecutionId>,
    drawn: u64,
    /// Who was evicted, until the database is told.
    evicted: Vec<ExecutionId>,
    /// The worker stops: nobody is kept any more.
    closed: bool,
}

struct Resident {
    number: u64,
    since: Instant,
    /// The run that suspended it; the next claim draws the next number, unless another worker was there in between.
    run: i32,
    attempt: i32,
    chain: i32,
    /// The highest arrival that it has loaded.
    seen: i32,
    grants: Arc<Grants>,
    resume: oneshot::Sender<Resumption>,
}

/// What a resident goes on with.
pub(super) struct Resumption {
    pub(super) claimed: Claimed,
    pub(super) hands: Hands,
    /// What has arrived since, if it was loaded.
    pub(super) news: Option<Vec<News>>,
}

/// A resident's place. It is given up when this is dropped.
pub(super) struct Place {
    all: Arc<Mutex<All>>,
    id: ExecutionId,
    number: u64,
    resumed: oneshot::Receiver<Resumption>,
}

impl Residents {
    pub(super) fn new(settings: ResidentSettings) -> Residents {
        Residents { settings, all: Arc::default() }
    }

    /// Takes a place for a workflow that is about to suspend, so that no claim can come before it. None if nobody is kept.
    pub(super) fn place(&self, claimed: &Claimed, seen: i32, grants: Arc<Grants>) -> Option<Place> {
        let mut all = self.lock();
        if all.closed || self.settings.count == 0 {
            return None;
        }
        if all.by_id.len() >= self.settings.count as usize {
            all.evict_oldest(1);
        }
        all.drawn += 1;
        let number = all.drawn;
        if number.is_multiple_of(LOOK_AFTER) && self.uses_too_much() {
            all.evict_a_tenth();
        }
        let (resume, resumed) = oneshot::channel();
        let Claimed { id, run, attempt, chain, .. } = *claimed;
        let resident = Resident { number, since: Instant::now(), run, attempt, chain, seen, grants, resume };
        if let Some(before) = all.by_id.insert(id, resident) {
            all.by_age.remove(&before.number);
        }
        all.by_age.insert(number, id);
        Some(Place { all: self.all.clone(), id, number, resumed })
    }

    /// The highest arrival that a workflow has loaded which waits here.
    pub(super) fn seen(&self, id: ExecutionId) -> Option<i32> {
        self.lock().by_id.get(&id).map(|resident| resident.seen)
    }

    /// Hands a claimed workflow to its resident. Given back is what has to be replayed: nobody is here, somebody else ran it since, or its
    /// module may no longer call whom it could.
    pub(super) fn resume(
        &self,
        claimed: Claimed,
        hands: Hands,
        grants: &Grants,
        news: Option<Vec<News>>,
    ) -> Result<(), Box<(Claimed, Hands)>> {
        let Some(resident) = self.lock().remove(claimed.id) else { return Err(Box::new((claimed, hands))) };
        let goes_on = resident.run + 1 == claimed.run
            && resident.attempt == claimed.attempt
            && resident.chain == claimed.chain
            // Its environment it keeps.
            && resident.grants.http == grants.http;
        if !goes_on {
            return Err(Box::new((claimed, hands)));
        }
        let unheard = resident.resume.send(Resumption { claimed, hands, news });
        unheard.map_err(|Resumption { claimed, hands, .. }| Box::new((claimed, hands)))
    }

    /// Drops everybody, for good.
    pub(super) fn close(&self) {
        let mut all = self.lock();
        all.closed = true;
        all.by_id.clear();
        all.by_age.clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, All> {
        self.all.lock().expect("no panic while held")
    }

    /// Drops who waits for too long, and the oldest when there is too little memory. Answers who was dropped since it was called last.
    fn tidy(&self) -> Vec<ExecutionId> {
        let mut all = self.lock();
        while let Some((_, id)) = all.by_age.first_key_value()
            && all.by_id[id].since.elapsed() > self.settings.time
        {
            all.evict_oldest(1);
        }
        if self.uses_too_much() {
            all.evict_a_tenth();
        }
        std::mem::take(&mut all.evicted)
    }

    fn uses_too_much(&self) -> bool {
        own_bytes().is_some_and(|bytes| bytes > self.settings.memory)
    }
}

impl All {
    fn remove(&mut self, id: ExecutionId) -> Option<Resident> {
        let resident = self.by_id.remove(&id)?;
        self.by_age.remove(&resident.number);
        Some(resident)
    }

    fn evict_oldest(&mut self, count: usize) {
        for _ in 0..count {
            let Some((_, id)) = self.by_age.pop_first() else { return };
            self.by_id.remove(&id);
            self.evicted.push(id);
        }
    }

    /// What one instance uses is not known exactly, so memory is given back in steps.
    fn evict_a_tenth(&mut self) {
        self.evict_oldest(self.by_id.len().div_ceil(10));
    }
}

impl Place {
    /// Waits for the next claim. None when the place is lost: evicted, replayed elsewhere, or the worker stops.
    pub(super) async fn resumed(mut self) -> Option<Resumption> {
        (&mut self.resumed).await.ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.all.lock().expect("no panic while held");
        if all.by_id.get(&self.id).is_some_and(|resident| resident.number == self.number) {
            all.remove(self.id);
        }
    }
}

/// Keeps the number of residents within their limits until told to stop.
pub(super) async fn tidy_until(services: Arc<Services>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let evicted = services.residents.tidy();
        if evicted.is_empty() {
            continue;
        }
        debug!(workflows = evicted.len(), "no longer kept in memory");
        // What others are not told they learn a moment later: a workflow is left to its resident for a moment only.
        if let Err(error) = workers::evict(&services.pool, services.id, &evicted).await {
            debug!(error = causes(&error), "evictions could not be written");
        }
    }
}

/// The memory that is this process's own, and would be free without it. None where nobody says. What is resident is much more: every instance
/// maps the pages of its module's initial memory that it reads and never writes, of which there is one copy for all.
fn own_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = statm.split(' ').skip(1).map(|count| count.parse::<u64>());
    let (resident, shared) = (pages.next()?.ok()?, pages.next()?.ok()?);
    Some(resident.saturating_sub(shared) * rustix::param::page_size() as u64)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::own_bytes;

    #[test]
    fn memory_counts_that_would_be_free_without_the_worker() {
        const MORE: usize = 64 << 20;
        let before = own_bytes().unwrap();
        let written = std::hint::black_box(vec![1_u8; MORE]);
        assert!(own_bytes().unwrap() > before + MORE as u64 / 2);
        drop(written);
        // The code of this program is a file's.
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        let resident: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(before < resident * rustix::param::page_size() as u64 - (1 << 20));
    }
}
