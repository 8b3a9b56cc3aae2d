#[currant::task(retries = 5, retries = 6)]
fn charge() -> Result<(), currant::Failure> {
    Ok(())
}

fn main() {}
