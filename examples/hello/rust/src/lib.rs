//! The smallest module: one task, and one workflow that calls it.
#![forbid(unsafe_code)]

use currant::Failure;

/// Says hello.
#[currant::task]
fn hello(name: String) -> Result<String, Failure> {
    currant::info!("saying hello to {name}");
    Ok(format!("Hello, {name}!"))
}

/// Says hello to everybody, one after the other.
#[currant::workflow]
async fn greet(names: Vec<String>) -> Result<Vec<String>, Failure> {
    let mut greetings = Vec::new();
    for name in names {
        greetings.push(hello(name).await?);
    }
    Ok(greetings)
}

currant::module!();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_greeted() {
        let greetings = greet(vec!["Ada".into(), "Grace".into()]).run();
        assert_eq!(greetings, Ok(vec!["Hello, Ada!".into(), "Hello, Grace!".into()]));
    }
}
