//! One name for one thing: what the SDKs and their test kits offer is called the same in all languages, but for the case of letters.
//!
//! What only some have stands in `tests/conformance/only.toml`, with the reason.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::cases::root;
use super::guests::Language;

/// What can be used from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Surface {
    /// The SDK itself.
    Sdk,
    /// The test kit's `Run`.
    TestKit,
}

/// Names, as Rust writes them, and by whom they are offered under which spelling.
pub(crate) type Names = BTreeMap<String, Vec<(Language, String)>>;

/// What only some languages have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Only {
    pub(crate) sdk: Vec<OnlySome>,
    pub(crate) test_kit: Vec<OnlySome>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OnlySome {
    /// As Rust writes them.
    pub(crate) names: Vec<String>,
    /// Why the others do without.
    pub(crate) because: String,
}

/// All names of a surface.
pub(crate) fn of(surface: Surface) -> Result<Names> {
    let mut names = Names::new();
    for language in Language::ALL {
        let spellings = match surface {
            Surface::Sdk => sdk(language)?,
            Surface::TestKit => test_kit(language)?,
        };
        for spelling in spellings {
            names.entry(canonical(&spelling)).or_default().push((language, spelling));
        }
    }
    Ok(names)
}

pub(crate) fn only() -> Result<Only> {
    Ok(toml::from_str(&read("tests/conformance/only.toml")?)?)
}

#[test]
fn the_sdks_have_the_same_names_for_the_same_things() -> Result<()> {
    assert_the_same(&of(Surface::Sdk)?, &only()?.sdk);
    Ok(())
}

#[test]
fn the_test_kits_have_the_same_names_for_the_same_things() -> Result<()> {
    assert_the_same(&of(Surface::TestKit)?, &only()?.test_kit);
    Ok(())
}

fn assert_the_same(names: &Names, only: &[OnlySome]) {
    assert!(names.len() > 8, "the names cannot be read: {names:?}");
    let excused: BTreeSet<&str> = only.iter().flat_map(|some| &some.names).map(String::as_str).collect();
    let some: BTreeSet<&str> =
        names.iter().filter(|(_, by)| by.len() < Language::ALL.len()).map(|(name, _)| name.as_str()).collect();
    let told = some.difference(&excused).map(|name| format!("{name}: only {:?}", names[*name]));
    let told: Vec<String> = told.collect();
    assert!(told.is_empty(), "not in every language, and tests/conformance/only.toml gives no reason:\n{}", told.join("\n"));
    let stale: Vec<_> = excused.difference(&some).collect();
    assert!(stale.is_empty(), "tests/conformance/only.toml excuses what needs none: {stale:?}");
}

/// `continueAsNew` is `continue_as_new`. Types are written alike in all languages.
fn canonical(spelling: &str) -> String {
    if spelling.starts_with(char::is_uppercase) {
        return spelling.to_owned();
    }
    let mut name = String::new();
    for letter in spelling.chars() {
        if letter.is_uppercase() {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// What the SDK's root exports.
fn sdk(language: Language) -> Result<Vec<String>> {
    match language {
        Language::Rust => {
            let text = read("guest-sdk-rust/src/lib.rs")?;
            let text = text.split("#[doc(hidden)]").next().unwrap_or_default();
            let uses = text.lines().filter_map(|line| line.strip_prefix("pub use ")).flat_map(|line| {
                let path = line.trim_end_matches(';');
                let (_, names) = path.split_once('{').or_else(|| path.rsplit_once("::")).unwrap_or(("", path));
                listed(names.trim_end_matches('}'))
            });
            let macros =
                text.lines().filter_map(|line| line.strip_prefix("macro_rules! ")?.strip_suffix(" {")).map(str::to_owned);
            let modules = ["log", "metrics", "trace", "tasks", "workflows"].into_iter();
            let modules = modules.filter(|name| text.contains(&format!("pub mod {name};"))).map(str::to_owned);
            Ok(uses.chain(macros).chain(modules).collect())
        }
        Language::Python => {
            let text = read("guest-sdk-python/src/currant/__init__.py")?;
            let names = between(&text, "__all__ = [", "]")?;
            Ok(names
                .lines()
                .map(|line| line.trim().trim_matches([',', '"']))
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect())
        }
        Language::JavaScript => {
            let text = read("guest-sdk-js/src/index.ts")?;
            let exports = text.split("\nexport ").skip(1);
            let names = exports.map(|export| between(export, "{", "}").map(listed)).collect::<Result<Vec<_>>>()?;
            Ok(names.concat())
        }
    }
}

/// The public methods of `Run`.
fn test_kit(language: Language) -> Result<Vec<String>> {
    let name_of = |rest: &str| rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().map(str::to_owned);
    Ok(match language {
        Language::Rust => {
            let text = read("guest-sdk-rust/src/testing.rs")?;
            let methods = text.lines().filter_map(|line| line.strip_prefix("    pub fn ")).filter_map(name_of);
            methods.filter(|name| name != "new").collect()
        }
        Language::Python => {
            let text = read("guest-sdk-python/src/currant/testing.py")?;
            let class = between(&text, "\nclass Run:", "\nclass ").or_else(|_| between(&text, "\nclass Run:", "\ndef "))?;
            let class = class.split("\ndef ").next().unwrap_or(class);
            class
                .lines()
                .filter_map(|line| line.strip_prefix("    def "))
                .filter_map(name_of)
                .filter(|name| !name.starts_with('_'))
                .collect()
        }
        Language::JavaScript => {
            let text = read("guest-sdk-js/src/testing.ts")?;
            let class = between(&text, "\nexport class Run {", "\n}")?;
            let members = class.lines().filter_map(|line| line.strip_prefix("  "));
            let methods =
                members.filter(|line| line.starts_with(|letter: char| letter.is_lowercase()) && line.contains(['(', '<']));
            let methods = methods.filter(|line| !line.starts_with("readonly") && !line.starts_with("constructor"));
            methods.filter_map(|line| name_of(line.trim_start_matches("async "))).collect()
        }
    })
}

/// `a, type b, c as d` without what is said about them.
fn listed(names: &str) -> Vec<String> {
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| name.trim_start_matches("type ").rsplit(" as ").next().unwrap_or(name).to_owned()).collect()
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Result<&'a str> {
    let (_, rest) = text.split_once(begin).with_context(|| format!("there is no {begin:?}"))?;
    Ok(rest.split_once(end).with_context(|| format!("there is no {end:?}"))?.0)
}

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(root().join(path)).with_context(|| path.to_owned())
}
