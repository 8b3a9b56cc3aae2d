#[currant::task(retries = -1)]
fn charge() -> Result<(), currant::Failure> {
    Ok(())
}

#[currant::task(multiplier = 0.5)]
fn refund() -> Result<(), currant::Failure> {
    Ok(())
}

fn main() {}
