struct Shop;

impl Shop {
    #[currant::task]
    fn charge(&self) -> Result<(), currant::Failure> {
        Ok(())
    }
}

fn main() {}
