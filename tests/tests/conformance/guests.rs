//! The languages, and what `scripts/build-guests rust python javascript` has built of them.

use std::path::PathBuf;

use currant_tests::{guest, guest_in};
use serde::Deserialize;

/// A language with an SDK.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Language {
    Rust,
    Python,
    JavaScript,
}

/// Something that is another thing in each language.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PerLanguage<T: Default> {
    pub(crate) rust: T,
    pub(crate) python: T,
    pub(crate) javascript: T,
}

impl<T: Default> PerLanguage<T> {
    pub(crate) fn of(&self, language: Language) -> &T {
        match language {
            Language::Rust => &self.rust,
            Language::Python => &self.python,
            Language::JavaScript => &self.javascript,
        }
    }
}

/// The example in which all languages call each other.
pub(crate) fn mixed() -> [PathBuf; 3] {
    [guest("mixed-rust"), guest_in("python", "mixed"), guest_in("javascript", "mixed")]
}

impl Language {
    pub(crate) const ALL: [Language; 3] = [Language::Rust, Language::Python, Language::JavaScript];

    /// As the folders of the examples are called.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Python => "python",
            Language::JavaScript => "js",
        }
    }

    /// The component with all behaviours.
    pub(crate) fn behaviours(self) -> PathBuf {
        match self {
            Language::Rust => guest("behaviours"),
            Language::Python => guest_in("python", "behaviours"),
            Language::JavaScript => guest_in("javascript", "behaviours"),
        }
    }
}
