#[currant::task(timeout = "30 seconds")]
fn charge() -> Result<(), currant::Failure> {
    Ok(())
}

#[currant::task(timeout = 30)]
fn refund() -> Result<(), currant::Failure> {
    Ok(())
}

fn main() {}
