#[currant::task]
fn charge() {}

fn main() {}
