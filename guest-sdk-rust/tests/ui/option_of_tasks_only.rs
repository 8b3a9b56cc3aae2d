#[currant::workflow(heartbeat = "5s")]
async fn checkout() -> Result<(), currant::Failure> {
    Ok(())
}

fn main() {}
