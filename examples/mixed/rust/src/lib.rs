//! The part in Rust: what goods cost.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use currant::Failure;

/// Adds up what so many of each cost, in cents.
#[currant::task]
fn price(goods: BTreeMap<String, u64>) -> Result<u64, Failure> {
    let mut total = 0;
    for (name, number) in goods {
        let cents = match name.as_str() {
            "mug" => 1250,
            "spoon" => 350,
            _ => return Err(Failure::new("unknown-goods", format!("we have no {name}")).not_retryable()),
        };
        total += number * cents;
    }
    Ok(total)
}

currant::module!();

#[cfg(test)]
mod tests {
    use super::*;

    fn priced(name: &str, number: u64) -> Result<u64, Failure> {
        price(BTreeMap::from([(name.to_owned(), number)])).run()
    }

    #[test]
    fn what_is_sold_has_its_price() {
        assert_eq!(priced("mug", 2), Ok(2500));
    }

    #[test]
    fn what_is_not_sold_has_none() {
        assert_eq!(priced("teapot", 1).unwrap_err().code(), "unknown-goods");
    }
}
