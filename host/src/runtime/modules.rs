//! Modules by digest: from memory, from the disk cache, or from their source and compiled.

mod disk;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use currant_core::ids::Digest;
use futures_util::future::BoxFuture;
use tokio::sync::{OnceCell, Semaphore};
use tracing::{debug, info, warn};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

pub(super) use self::disk::DiskCache;
use super::linker::linker;
use super::settings::RuntimeSettings;
use super::store::State;
use crate::bindings::ModulePre;

/// Modules in memory at once, whatever their size.
const MODULES: usize = 1_000;

/// Where components come from.
pub trait ModuleSource: Send + Sync + 'static {
    /// The bytes of a component.
    fn bytes<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, anyhow::Result<Vec<u8>>>;
}

/// A component, compiled and linked.
pub struct Module {
    digest: Digest,
    pre: ModulePre<State>,
    /// Bytes of its compiled code.
    size: usize,
}

impl Module {
    /// The SHA-256 of the component.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    pub(super) fn pre(&self) -> &ModulePre<State> {
        &self.pre
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module").field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// Why a module cannot be run here.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Unavailable {
    reason: String,
    /// Whoever keeps it does not answer: that is neither the module's fault nor this worker's, and passes.
    pub is_for_now: bool,
}

impl Unavailable {
    fn here(reason: impl Into<String>) -> Unavailable {
        Unavailable { reason: reason.into(), is_for_now: false }
    }
}

/// The modules of a runtime.
pub(super) struct Modules {
    shared: Arc<Shared>,
    source: Arc<dyn ModuleSource>,
    memory: Mutex<Memory>,
    memory_limit: usize,
}

/// What loading needs on a thread of its own.
struct Shared {
    engine: Engine,
    linker: Linker<State>,
    disk: Option<DiskCache>,
    /// One compilation at a time: each one uses every core by itself, and some 400 MB for a large component.
    compiling: Semaphore,
}

#[derive(Default)]
struct Memory {
    entries: HashMap<Digest, Entry>,
    /// Counts uses, to order them.
    clock: u64,
}

#[derive(Default)]
struct Entry {
    module: Arc<OnceCell<Arc<Module>>>,
    last_used: u64,
}

impl Modules {
    pub(super) fn new(engine: Engine, settings: &RuntimeSettings, source: Arc<dyn ModuleSource>) -> anyhow::Result<Modules> {
        let shared =
            Shared { linker: linker(&engine)?, disk: DiskCache::open(&engine, settings), engine, compiling: Semaphore::new(1) };
        Ok(Modules { shared: Arc::new(shared), source, memory: Mutex::default(), memory_limit: settings.cache_memory_limit })
    }

    pub(super) async fn load(&self, digest: &Digest) -> Result<Arc<Module>, Unavailable> {
        let cell = self.memory().touch(digest);
        // Who comes while it is loaded waits here; if whoever loads it goes away, the next one does it.
        let module = cell.get_or_try_init(|| self.load_anew(digest)).await?.clone();
        self.memory().evict(self.memory_limit, digest);
        Ok(module)
    }

    async fn load_anew(&self, digest: &Digest) -> Result<Arc<Module>, Unavailable> {
        if let Some(module) = self.shared.clone().from_disk(*digest).await? {
            return Ok(module);
        }
        let bytes = self.source.bytes(digest).await.map_err(|error| Unavailable {
            reason: format!("cannot be read: {error:#}"),
            is_for_now: error.downcast_ref().is_some_and(currant_core::Error::is_retryable),
        })?;
        self.shared.clone().compile(*digest, bytes).await
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("no panic while held")
    }
}

impl Memory {
    fn touch(&mut self, digest: &Digest) -> Arc<OnceCell<Arc<Module>>> {
        self.clock += 1;
        let entry = self.entries.entry(*digest).or_default();
        entry.last_used = self.clock;
        entry.module.clone()
    }

    /// Drops what was not used for longest, but not what is being loaded, nor the module that was asked for just now.
    fn evict(&mut self, limit: usize, keep: &Digest) {
        let loaded = |entry: &Entry| entry.module.get().map(|module| module.size);
        let mut total: usize = self.entries.values().filter_map(loaded).sum();
        while total > limit || self.entries.len() > MODULES {
            let others = self.entries.iter().filter(|(digest, entry)| *digest != keep && entry.module.initialized());
            let Some(oldest) = others.min_by_key(|(_, entry)| entry.last_used).map(|(digest, _)| *digest) else { return };
            debug!(module.digest = %oldest, "dropped from memory");
            total -= self.entries.remove(&oldest).and_then(|entry| loaded(&entry)).unwrap_or(0);
        }
    }
}

impl Shared {
    async fn from_disk(self: Arc<Shared>, digest: Digest) -> Result<Option<Arc<Module>>, Unavailable> {
        on_a_thread(move || {
            let Some((component, size)) = self.disk.as_ref().and_then(|disk| disk.load(&self.engine, &digest)) else {
                return Ok(None);
            };
            self.link(digest, &component, size).map(Some)
        })
        .await
    }

    async fn compile(self: Arc<Shared>, digest: Digest, bytes: Vec<u8>) -> Result<Arc<Module>, Unavailable> {
        if Digest::of(&bytes) != digest {
            return Err(Unavailable::here("its source has other bytes under its digest"));
        }
        let _alone = self.compiling.acquire().await.expect("it is never closed");
        let shared = self.clone();
        on_a_thread(move || {
            info!(module.digest = %digest, size = bytes.len(), "compiling a module");
            let component = Component::new(&shared.engine, &bytes)
                .map_err(|error| Unavailable::here(format!("cannot be compiled on this worker: {error:#}")))?;
            let compiled = component.serialize().map_err(|error| Unavailable::here(format!("{error:#}")))?;
            if let Some(disk) = &shared.disk
                && let Err(error) = disk.store(&digest, &compiled)
            {
                warn!(module.digest = %digest, error = format!("{error:#}"), "compiled code cannot be kept; the next start compiles again");
            }
            shared.link(digest, &component, compiled.len())
        })
        .await
    }

    fn link(&self, digest: Digest, component: &Component, size: usize) -> Result<Arc<Module>, Unavailable> {
        let linked = self.linker.instantiate_pre(component).and_then(ModulePre::new);
        let pre = linked.map_err(|error| Unavailable::here(format!("does not fit this worker: {error:#}")))?;
        Ok(Arc::new(Module { digest, pre, size }))
    }
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Unavailable> + Send + 'static,
) -> Result<T, Unavailable> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|panic| Err(Unavailable::here(format!("loading it failed: {panic}"))))
}
