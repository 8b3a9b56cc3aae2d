#[currant::task(name = "Charge Card")]
fn charge() -> Result<(), currant::Failure> {
    Ok(())
}

fn main() {}
