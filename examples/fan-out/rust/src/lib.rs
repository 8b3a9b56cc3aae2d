//! Many tasks at once: texts are counted side by side, at most so many at a time, and what failed does not spoil the rest.
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use currant::Failure;
use serde::{Deserialize, Serialize};

/// How often each word was used.
type Counts = BTreeMap<String, u32>;

/// What all texts together contain.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Summary {
    words: u32,
    /// The five words that are used most.
    most: Vec<(String, u32)>,
    /// Texts that could not be counted, and why.
    failed: BTreeMap<String, String>,
}

/// How far it is.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Progress {
    done: u32,
    failed: usize,
}

/// Counts the words of one text.
#[currant::task(queue = "counting", retries = 2, timeout = "30s")]
fn count(text: String) -> Result<Counts, Failure> {
    let mut counts = Counts::new();
    for word in
        text.to_lowercase().split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty())
    {
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    if counts.is_empty() {
        return Err(Failure::new("no-words", "there is nothing to count").not_retryable());
    }
    Ok(counts)
}

/// Counts all texts, at most `at_once` at a time, and shows how far it is.
#[currant::workflow]
async fn count_all(texts: BTreeMap<String, String>, at_once: usize) -> Result<Summary, Failure> {
    let left = RefCell::new(texts.into_iter());
    let (words, total, failed) = (Cell::new(0), RefCell::new(Counts::new()), RefCell::new(BTreeMap::new()));

    // So many lanes, each of which takes the next text when it is done with one.
    let lane = || async {
        loop {
            let Some((name, text)) = left.borrow_mut().next() else { return };
            match count(text).await {
                Ok(counts) => {
                    for (word, times) in counts {
                        *total.borrow_mut().entry(word).or_default() += times;
                        words.set(words.get() + times);
                    }
                }
                Err(failure) => {
                    failed.borrow_mut().insert(name, failure.message().to_owned());
                }
            }
            currant::publish(&Progress { done: words.get(), failed: failed.borrow().len() });
        }
    };
    currant::join_all((0..at_once).map(|_| lane())).await;

    // Words that are used equally often come in the order of the alphabet.
    let mut most: Vec<_> = total.take().into_iter().collect();
    most.sort_by(|(one, often), (other, oftener)| oftener.cmp(often).then_with(|| one.cmp(other)));
    most.truncate(5);
    Ok(Summary { words: words.get(), most, failed: failed.take() })
}

currant::module!();

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use currant::testing::Run;

    use super::*;

    fn texts(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect()
    }

    #[test]
    fn all_texts_are_counted_and_what_failed_is_named() {
        let mut run = Run::new();
        let texts = texts(&[("one", "a rose is a rose"), ("two", "is it a rose"), ("three", "...")]);
        let summary = run.call(count_all(texts, 2)).unwrap();
        assert_eq!(summary.words, 9);
        let most = [("a", 3), ("rose", 3), ("is", 2), ("it", 1)];
        assert_eq!(summary.most, most.map(|(word, times)| (word.to_owned(), times)));
        assert_eq!(summary.failed["three"], "there is nothing to count");
        assert_eq!(run.called("count"), 3);
    }

    #[test]
    fn a_count_that_fails_once_is_made_again() {
        let first = Cell::new(true);
        let mut run = Run::new().mock("count", move |_: String| match first.replace(false) {
            true => Err(Failure::new("disk-full", "the disk is full")),
            false => Ok(Counts::from([("rose".to_owned(), 1)])),
        });
        assert_eq!(run.call(count_all(texts(&[("one", "rose")]), 8)).unwrap().words, 1);
    }
}
