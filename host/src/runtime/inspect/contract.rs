//! Whether a component speaks our contract, and in which words it is refused.

use wasmtime::Engine;
use wasmtime::component::Component;

/// The version of `wit/` that this host implements. Every 0.1 is compatible with it, as far as it has what is imported.
const CONTRACT: &str = "0.1";
const INTERFACES: [&str; 5] = ["context", "workflow", "task", "telemetry", "types"];

const REBUILD: &str = "build it with Currant's SDK (`currant build`, or `cargo build --target wasm32-wasip2` for Rust)";

/// Looks at the first bytes only.
pub(super) fn check_kind(bytes: &[u8]) -> Result<(), String> {
    match bytes {
        [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(format!(
            "this is a core WebAssembly module, not a component: {REBUILD}; the target wasm32-wasip1 makes core modules"
        )),
        [b'\0', b'a', b's', b'm', ..] => {
            Err("this component is truncated, or of a binary format that this host does not know".into())
        }
        _ => Err(format!("this is not WebAssembly: {REBUILD}")),
    }
}

/// Why wasmtime does not compile it.
pub(super) fn not_compiled(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}");
    if text.contains("unexpected end") || text.contains("is out of bounds (bound") {
        return format!("the file is truncated: copy or build it again ({text})");
    }
    format!("it is not a valid component: {text}")
}

/// Whether it exports `entry`, and imports only what there is.
pub(super) fn check_interfaces(engine: &Engine, component: &Component) -> Result<(), String> {
    let component = component.component_type();
    let missing: Vec<_> = component.imports(engine).filter_map(|(name, _)| unknown(name)).collect();
    if !missing.is_empty() {
        return Err(format!("it imports what this host does not have: {}", missing.join("; ")));
    }
    let entries: Vec<_> = component.exports(engine).filter_map(|(name, _)| name.strip_prefix("currant:guest/entry@")).collect();
    match entries.as_slice() {
        [] => Err(format!(
            "it exports no `currant:guest/entry`, so it offers no function: {REBUILD}, and declare a task or a workflow in it"
        )),
        versions if versions.iter().any(|version| is_ours(version)) => Ok(()),
        [version, ..] => Err(other_version("exports", "entry", version)),
    }
}

/// Why it cannot be linked, although it imports nothing that is unknown by name.
pub(super) fn not_linked(error: &wasmtime::Error) -> String {
    format!(
        "it imports a function that this host does not have, or has in another form: {error:#}; upgrade the worker, or build against an older version"
    )
}

/// Why its `entry` cannot be called, although it is of our version by name.
pub(super) fn not_callable(error: &wasmtime::Error) -> String {
    format!("its `currant:guest/entry` is not that of version {CONTRACT}: {error:#}; {REBUILD}")
}

fn unknown(import: &str) -> Option<String> {
    let (path, version) = import.split_once('@').unwrap_or((import, ""));
    match path.split_once('/') {
        Some(("currant:guest", interface)) if !is_ours(version) => Some(other_version("imports", interface, version)),
        Some(("currant:guest", interface)) if INTERFACES.contains(&interface) => None,
        Some(("currant:guest", _)) => {
            Some(format!("`{import}`, which a newer version of Currant may have: upgrade the worker"))
        }
        Some((package, _)) if package.starts_with("wasi:") => {
            match version.starts_with("0.2.") || version.starts_with("0.3.") {
                true => None,
                false => Some(format!("`{import}`: this host has WASI 0.2 and 0.3; build with a toolchain for one of them")),
            }
        }
        _ => Some(format!(
            "`{import}`: only `currant:guest` and WASI are offered; remove what uses it, or compose it into the component"
        )),
    }
}

fn is_ours(version: &str) -> bool {
    version.strip_prefix(CONTRACT).is_some_and(|patch| patch.starts_with('.'))
}

fn other_version(verb: &str, interface: &str, version: &str) -> String {
    format!(
        "it {verb} `currant:guest/{interface}` of version {version}, and this host has {CONTRACT}: use the SDK and the worker of one release"
    )
}

#[cfg(test)]
mod tests {
    use super::{check_kind, unknown};

    #[test]
    fn what_is_no_component_is_named() {
        assert!(check_kind(b"\0asm\x0d\0\x01\0rest").is_ok());
        assert!(check_kind(b"\0asm\x01\0\0\0").unwrap_err().contains("core WebAssembly module"));
        assert!(check_kind(b"\0as").unwrap_err().contains("not WebAssembly"));
        assert!(check_kind(b"\0asm\x0d").unwrap_err().contains("truncated"));
        assert!(check_kind(b"#!/bin/sh").unwrap_err().contains("not WebAssembly"));
    }

    #[test]
    fn imports_are_known_by_package_and_version() {
        for known in
            ["currant:guest/workflow@0.1.0", "currant:guest/task@0.1.7", "wasi:io/poll@0.2.9", "wasi:clocks/types@0.3.0"]
        {
            assert_eq!(unknown(known), None, "{known}");
        }
        assert!(unknown("currant:guest/workflow@0.2.0").unwrap().contains("version 0.2.0"));
        assert!(unknown("currant:guest/dreams@0.1.0").unwrap().contains("upgrade the worker"));
        assert!(unknown("wasi:io/poll@0.1.0").unwrap().contains("WASI 0.2 and 0.3"));
        assert!(unknown("acme:db/query@1.0.0").unwrap().contains("compose it"));
        assert!(unknown("acme").unwrap().contains("compose it"));
    }
}
