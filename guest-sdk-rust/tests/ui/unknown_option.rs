#[currant::task(queue = "payments", retrys = 5)]
fn charge() -> Result<(), currant::Failure> {
    Ok(())
}

fn main() {}
