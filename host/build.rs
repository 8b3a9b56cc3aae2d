//! Tells the program how it was optimised, so that its benchmark can warn of figures that mean nothing.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=CURRANT_OPT_LEVEL={}", std::env::var("OPT_LEVEL").unwrap_or_default());
}
