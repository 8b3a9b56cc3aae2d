#[currant::workflow]
fn checkout() -> Result<(), currant::Failure> {
    Ok(())
}

fn main() {}
