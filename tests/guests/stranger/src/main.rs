//! A command of WASI: a component, and none of ours.

fn main() {
    println!("hello");
}
