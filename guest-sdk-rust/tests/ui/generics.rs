#[currant::task]
fn charge<T>(order: T) -> Result<(), currant::Failure> {
    Ok(())
}

fn main() {}
