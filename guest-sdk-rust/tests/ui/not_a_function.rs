#[currant::task]
struct Charge;

fn main() {}
