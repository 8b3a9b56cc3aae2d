//! What can be said about a component without running it: enough to refuse early, with the way to mend it, what no worker would take.
//!
//! The worker's inspection decides; it validates the code, calls `describe`, and knows every function of the contract.

use std::ffi::OsStr;
use std::path::Path;

use wasmparser::{ComponentExternName, Encoding, Parser, Payload};

/// The contract that this release speaks: minor versions are incompatible before 1.0.
const CONTRACT: &str = "currant:guest";
const CONTRACT_VERSION: (u64, u64) = (0, 1);

/// Why a file cannot be deployed.
#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    Empty,
    NotWasm,
    WatText,
    CoreModule,
    Truncated { at: u64, reason: String },
    NoEntry { exports: Vec<String> },
    OtherContract { version: String },
}

impl Refusal {
    /// What is wrong with the file, as the end of a sentence that begins with its name.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Refusal::Empty => "is empty".into(),
            Refusal::NotWasm => "is not WebAssembly".into(),
            Refusal::WatText => "is WebAssembly in its text form".into(),
            Refusal::CoreModule => "is a core module, not a component".into(),
            Refusal::Truncated { at, reason } => format!("is damaged or cut off at byte {at}: {reason}"),
            Refusal::NoEntry { exports } if exports.is_empty() => {
                format!("is a component that exports nothing: {CONTRACT}/entry is missing")
            }
            Refusal::NoEntry { exports } => {
                format!("is a component for something else: it exports {}, and not {CONTRACT}/entry", exports.join(", "))
            }
            Refusal::OtherContract { version } => {
                let (major, minor) = CONTRACT_VERSION;
                format!("speaks version {version} of the contract {CONTRACT}, and this release speaks {major}.{minor}")
            }
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Refusal::Empty | Refusal::Truncated { .. } => "build it again, and deploy it when the build has ended",
            Refusal::NotWasm => "deploy the .wasm file that the build made",
            Refusal::WatText => "make it binary: wasm-tools parse MODULE.wat -o MODULE.wasm",
            Refusal::CoreModule => {
                "build it for wasm32-wasip2, which makes components: cargo build --release --target wasm32-wasip2"
            }
            Refusal::NoEntry { .. } => {
                "mark its functions with #[currant::task] or #[currant::workflow], and call currant::module! once"
            }
            Refusal::OtherContract { .. } => "build it with the SDK of this release, or use the release that it was built for",
        }
    }
}

/// The command that makes a component of this source file, or of what is in this folder, by its name.
pub(crate) fn build_of(path: &Path) -> Option<String> {
    let shown = path.display();
    let holds = |names: &[&str]| names.iter().any(|name| path.join(name).is_file());
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    let is_folder = path.is_dir();
    match ending {
        "py" => Some(format!("python -m currant build {shown}")),
        "js" | "mjs" | "ts" | "mts" => Some(format!("npx currant build {shown}")),
        "rs" | "toml" => Some(RUST_BUILD.into()),
        _ if is_folder && holds(&["Cargo.toml"]) => Some(RUST_BUILD.into()),
        _ if is_folder && holds(&["app.py", "main.py", "pyproject.toml"]) => Some(format!("python -m currant build {shown}")),
        _ if is_folder && holds(&["package.json", "app.ts", "app.js"]) => Some(format!("npx currant build {shown}")),
        _ => None,
    }
}

/// How modules in Rust are built.
pub(crate) const RUST_BUILD: &str = "cargo build --release --target wasm32-wasip2";

/// Checks that this is a component that speaks our contract.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    if bytes.trim_ascii_start().starts_with(b"(") {
        return Err(Refusal::WatText);
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(Refusal::NotWasm);
    }
    let exports = exports(bytes)?;
    let prefix = format!("{CONTRACT}/entry@");
    let Some(version) = exports.iter().find_map(|export| export.strip_prefix(&prefix)) else {
        return Err(Refusal::NoEntry { exports });
    };
    match is_ours(version) {
        true => Ok(()),
        false => Err(Refusal::OtherContract { version: version.to_owned() }),
    }
}

/// The names that the outermost component exports. Reads to the end, so that a file which was cut off is noticed.
fn exports(bytes: &[u8]) -> Result<Vec<String>, Refusal> {
    let damaged =
        |error: wasmparser::BinaryReaderError| Refusal::Truncated { at: error.offset(), reason: error.message().to_owned() };
    let mut exports = Vec::new();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(damaged)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => return Err(Refusal::CoreModule),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) if depth > 0 => depth -= 1,
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let ComponentExternName { name, .. } = export.map_err(damaged)?.name;
                    exports.push(name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(exports)
}

fn is_ours(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    (parts.next().flatten(), parts.next().flatten()) == (Some(CONTRACT_VERSION.0), Some(CONTRACT_VERSION.1))
}
