#[currant::task]
fn charge() -> Result<&'static str, currant::Failure> {
    Ok("done")
}

fn main() {}
