//! `src/bindings.rs` is generated from `wit/` and committed, so that a user's build runs no code generator (half a minute of
//! it). This test keeps the two in step; `UPDATE_BINDINGS=1 cargo test -p currant --test bindings` writes the file anew.

use std::path::Path;

use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator};
use wit_bindgen_rust::Opts;

const HEADER: &str = "//! The contract's Rust side. Generated from `wit/` by `tests/bindings.rs`; not to be edited.\n";

#[test]
fn the_committed_bindings_are_those_of_the_contract() {
    let generated = generate();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bindings.rs");
    if std::env::var_os("UPDATE_BINDINGS").is_some() {
        std::fs::write(&path, &generated).expect("src/bindings.rs can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "src/bindings.rs is stale: run `UPDATE_BINDINGS=1 cargo test -p currant --test bindings`");
}

fn generate() -> String {
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let (package, _) = resolve.push_path(&wit).expect("wit/ parses");
    let world = resolve.select_world(&[package], Some("module")).expect("wit/ has the world `module`");
    let options = Opts { format: true, default_bindings_module: Some("crate::bindings".to_owned()), ..Opts::default() };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files).expect("the contract has Rust bindings");
    let (_, source) = files.iter().next().expect("one file is generated");
    format!("{HEADER}{}", String::from_utf8_lossy(source))
}
