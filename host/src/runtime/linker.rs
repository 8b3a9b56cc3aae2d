//! Everything that a component may import, linked once per engine.

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use super::store::State;
use crate::bindings;
use crate::imports::{clocks, denied, network, random};

/// WASI 0.2 and 0.3 whole, with our own clocks, random and network over them, and the contract. A component is linked by name and
/// semver: one made for another patch release of WASI 0.2 finds what it needs.
pub(super) fn linker(engine: &Engine) -> anyhow::Result<Linker<State>> {
    link(engine).map_err(|error| anyhow::anyhow!("{error:#}"))
}

fn link(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;

    // From here on, what is linked takes the place of what was.
    linker.allow_shadowing(true);
    clocks::add_to_linker(&mut linker)?;
    random::add_to_linker(&mut linker)?;
    network::add_to_linker(&mut linker)?;
    denied::add_to_linker(&mut linker)?;
    linker.allow_shadowing(false);

    bindings::Module::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}
