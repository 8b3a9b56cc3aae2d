//! Guests: components by digest, each call in an instance of its own.
//!
//! ```text
//!   Inspector ── once per deployment, in a child process: is it ours, what does it offer ──► description, compiled code
//!   Runtime::load ── memory ─► disk ─► source, compile ──► Module, linked
//!   Runtime::run  ── a fresh instance, limits set ──► imports ──► Returned
//! ```
//!
//! Read [`engine`] for what the code may do, [`limits`] for how much of it, `store` and `instance` for one call.
//!
//! Invariant: what a guest does, and what it is, ends in a [`Returned`] or a [`Refusal`]; nothing of it ends the worker.

mod engine;
mod inspect;
mod instance;
pub mod limits;
mod linker;
mod modules;
mod settings;
pub(crate) mod store;
mod turns;

use std::sync::Arc;

use currant_core::ids::Digest;
use tokio::sync::Semaphore;
use wasmtime::Engine;

pub use self::inspect::{Inspector, Refusal, inspect_child};
use self::modules::Modules;
pub use self::modules::{Module, ModuleSource, Unavailable};
pub use self::settings::RuntimeSettings;
use crate::guest::{Call, Returned};
pub use crate::imports::network::Trust;

/// Loads and runs guests.
pub struct Runtime {
    engine: Engine,
    modules: Modules,
    settings: RuntimeSettings,
    /// Instances that the pool still has. Without it an instance too many would be an error, instead of a wait.
    free: Semaphore,
    instances: u32,
}

impl Runtime {
    /// A runtime with an engine of its own. Components that neither cache has come from `source`.
    pub fn new(settings: RuntimeSettings, source: Arc<dyn ModuleSource>) -> anyhow::Result<Runtime> {
        let (engine, instances) = engine::pooling(&settings)?;
        let modules = Modules::new(engine.clone(), &settings, source)?;
        Ok(Runtime { engine, modules, settings, free: Semaphore::new(instances as usize), instances })
    }

    /// Instances at once, which may be fewer than the settings say.
    pub fn instances(&self) -> u32 {
        self.instances
    }

    /// A module, ready to run. Concurrent loads of one module share the work.
    pub async fn load(&self, digest: &Digest) -> Result<Arc<Module>, Unavailable> {
        self.modules.load(digest).await
    }

    /// Calls `run` of the module in a fresh instance. The future may be dropped at any time: the guest is then gone, and everything
    /// that it held.
    pub async fn run(&self, module: &Module, call: Call) -> Returned {
        let _instance = self.free.acquire().await.expect("it is never closed");
        instance::run(&self.engine, module.pre(), &self.settings, call).await
    }
}
