//! A migration that is added is embedded too: cargo sees changes of files, and new ones only if told where to look.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations");
}
