#[currant::task]
fn charge(card: &str) -> Result<(), currant::Failure> {
    Ok(())
}

fn main() {}
