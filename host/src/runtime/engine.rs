//! The engine: each switch, and why it stands as it does.

use tracing::warn;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails};

use super::limits::{CORE_INSTANCES, EPOCH, FIBER_STACK_BYTES, MEMORIES, STACK_BYTES, TABLE_ELEMENTS, TABLES};
use super::settings::RuntimeSettings;

/// An engine that runs many instances at once, from a pool, and how many. Where the pool's address space is not to be had (`ulimit -v`, small
/// containers) it halves the pool, and at last goes without.
pub(super) fn pooling(settings: &RuntimeSettings) -> anyhow::Result<(Engine, u32)> {
    let mut instances = settings.instances.clamp(1, most_instances());
    loop {
        let mut config = shared_config();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(settings, instances)));
        match Engine::new(&config) {
            Ok(engine) => return Ok((ticking(engine)?, instances)),
            Err(error) if instances >= 32 => {
                warn!(instances, error = format!("{error:#}"), "no room for so many instances; trying half of them");
                instances /= 2;
            }
            Err(error) => {
                warn!(
                    error = format!("{error:#}"),
                    "no room for a pool of instances; each is allocated by itself, which is slower"
                );
                return Ok((on_demand()?, settings.instances.max(1)));
            }
        }
    }
}

/// Instances for which the kernel allows enough memory maps (Linux: `vm.max_map_count`). Each takes two for its stack, used or not, and
/// four while it lives.
fn most_instances() -> u32 {
    const MAPS_PER_INSTANCE: u32 = 6;
    /// For threads, libraries, compiled code and the allocator.
    const OTHER_MAPS: u32 = 4_000;
    let allowed = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok().and_then(|count| count.trim().parse().ok());
    allowed.map_or(u32::MAX, |maps: u32| (maps.saturating_sub(OTHER_MAPS) / MAPS_PER_INSTANCE).max(1))
}

/// An engine without a pool, for an inspection. What it compiles runs in the other one.
pub(super) fn on_demand() -> anyhow::Result<Engine> {
    let mut config = shared_config();
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    ticking(Engine::new(&config).map_err(|error| anyhow::anyhow!("{error:#}"))?)
}

/// Everything that compiled code depends on.
fn shared_config() -> Config {
    let mut config = Config::new();
    config
        // Guests that compute yield at each tick, and can be stopped. Fuel would be exact, but costs up to a third of the speed.
        .epoch_interruption(true)
        // A workflow must compute the same on every machine: the bits of a NaN, and the results of relaxed SIMD, differ between
        // processors unless told otherwise. Tasks get the same code, so that one compilation serves both.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        // Threads would be a source of order that no journal records.
        .wasm_threads(false)
        .wasm_component_model(true)
        // WASI 0.3 needs it, and it leaves the door open to an `entry` whose `run` is an `async func`.
        .wasm_component_model_async(true)
        .max_wasm_stack(STACK_BYTES)
        .async_stack_size(FIBER_STACK_BYTES)
        // An instance begins as a mapping of the module's initial memory; only what it writes is copied.
        .memory_init_cow(true)
        // Names of functions in the details of a trap. Lines would need debug information to be parsed at each trap.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
}

/// What unused slots may keep, all together and each.
const KEPT_BYTES: usize = 256 << 20;
const KEPT_BYTES_PER_SLOT: usize = 128 << 10;

fn pool(settings: &RuntimeSettings, instances: u32) -> PoolingAllocationConfig {
    let kept = (KEPT_BYTES / instances.max(1) as usize).min(KEPT_BYTES_PER_SLOT);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_stacks(instances)
        // What a component may have at most, and what the average one has: a Rust module has four core instances, one memory and
        // two tables, a Python module forty, one and two.
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .total_core_instances(instances.saturating_mul(48).max(CORE_INSTANCES))
        // Each reserves 4 GiB of the 128 TiB that a process can address.
        .total_memories((instances + instances / 8).max(MEMORIES))
        .total_tables(instances.saturating_mul(8).max(TABLES))
        .max_memories_per_module(MEMORIES)
        .max_tables_per_module(TABLES)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(settings.memory_limit)
        // Vm contexts of Python's and StarlingMonkey's main modules have some 300 KB; the default is 1 MiB.
        .max_core_instance_size(8 << 20)
        .max_component_instance_size(8 << 20)
        // Slots that remember a module's memory image: the next instance of it starts faster.
        .max_unused_warm_slots(instances.min(100))
        // What an instance has written is overwritten when it is dropped, and stays in place for the next one. Unmapping it costs an interrupt
        // on every core, and a page fault for each page that is written again: half of the time of a small task, and nearly all that
        // cores gain by being many. The kernel tells which pages there are; one older than Linux 6.7 does not, and then it is a matter of bytes.
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(kept)
        .table_keep_resident(kept / 8);
    pool
}

/// Advances the engine's epoch for as long as the engine lives. On a thread of its own: a runtime that is busy with guests would
/// not get to it, and it is what makes them yield.
fn ticking(engine: Engine) -> anyhow::Result<Engine> {
    let weak = engine.weak();
    std::thread::Builder::new().name("currant-epoch".into()).spawn(move || {
        loop {
            std::thread::sleep(EPOCH);
            match weak.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    })?;
    Ok(engine)
}
