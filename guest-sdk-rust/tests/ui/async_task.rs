#[currant::task]
async fn charge() -> Result<(), currant::Failure> {
    Ok(())
}

fn main() {}
