//! `docs/sdk-parity.md`, made of the table and of the SDKs' names. `CURRANT_UPDATE_DOCS=1` rewrites it.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use super::cases::{self, Feature, root};
use super::guests::Language;
use super::names::{self, Names, OnlySome, Surface};

#[test]
fn the_page_is_what_the_suite_tests() -> Result<()> {
    let path = root().join("docs/sdk-parity.md");
    let page = page()?;
    if std::env::var_os("CURRANT_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page)?;
    }
    let hint = "CURRANT_UPDATE_DOCS=1 cargo nextest run -p currant-tests --test conformance parity";
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), page, "{} is out of date: {hint}", path.display());
    Ok(())
}

#[test]
fn an_example_that_is_said_to_show_a_feature_shows_it_in_every_language() -> Result<()> {
    for feature in cases::read()? {
        for example in &feature.examples {
            let folders = Language::ALL.map(|language| root().join(format!("examples/{example}/{}", language.folder())));
            // An example in several languages at once shows it in one of them.
            let shown =
                Language::ALL.iter().zip(&folders).filter(|(language, folder)| shows(folder, mark(&feature, **language)));
            let enough = if example == "mixed" { 1 } else { Language::ALL.len() };
            let shown = shown.map(|(language, _)| language).collect::<Vec<_>>();
            assert!(shown.len() >= enough, "{}: {example} shows it in {shown:?} only", feature.name);
        }
    }
    Ok(())
}

#[test]
fn every_example_is_there_in_every_language_and_says_what_comes_out() -> Result<()> {
    for example in ["hello", "checkout", "fan-out"] {
        for language in Language::ALL {
            says_what_comes_out(&root().join(format!("examples/{example}/{}/README.md", language.folder())))?;
        }
    }
    says_what_comes_out(&root().join("examples/mixed/README.md"))
}

fn says_what_comes_out(readme: &Path) -> Result<()> {
    let text = std::fs::read_to_string(readme).with_context(|| readme.display().to_string())?;
    for part in ["## Run it\n", "deploy ", "## What comes out\n", "```json\n"] {
        assert!(text.contains(part), "{} has no {part:?}", readme.display());
    }
    Ok(())
}

/// By what a feature is found in a source: what it is written as, up to its first bracket.
fn mark(feature: &Feature, language: Language) -> &str {
    let written = written(feature, language);
    feature.marks.of(language).as_deref().unwrap_or_else(|| {
        let call = ["await ", "return "].iter().fold(written, |call, keyword| call.trim_start_matches(keyword));
        call.split(['(', '<', ' ']).next().unwrap_or(call)
    })
}

fn written(feature: &Feature, language: Language) -> &str {
    match language {
        Language::Rust => &feature.rust,
        Language::Python => &feature.python,
        Language::JavaScript => &feature.javascript,
    }
}

fn shows(folder: &Path, mark: &str) -> bool {
    ["src/lib.rs", "app.py", "app.ts"]
        .iter()
        .any(|source| std::fs::read_to_string(folder.join(source)).is_ok_and(|text| text.contains(mark)))
}

fn page() -> Result<String> {
    let mut page = String::from(
        "<!-- Generated: CURRANT_UPDATE_DOCS=1 cargo nextest run -p currant-tests --test conformance parity -->\n\n\
         # The same in every language\n\n\
         What works in one SDK works in the others, and is called the same. Each line below is tested: the same behaviour, written in Rust, Python and\n\
         JavaScript, must give the same result and the same journal, whether its workflow is kept in memory while it waits, is replayed at every wait, or\n\
         loses its worker in the middle. The tables are `tests/conformance/`, the behaviours `tests/guests/behaviours`, `tests/guests-python/behaviours` and\n\
         `guest-sdk-js/test/behaviours`; `cargo nextest run -p currant-tests --test conformance` runs all of it.\n\n\
         ## Features\n\n\
         Of the tests, those with a † are run with a worker that is killed, too: they wait for something in their middle.\n\n\
         | feature | Rust | Python | JavaScript | examples | tests |\n|---|---|---|---|---|---|\n",
    );
    for feature in cases::read()? {
        let tests = feature.cases.iter().map(|case| format!("{}{}", case.name, if case.has_a_middle() { " †" } else { "" }));
        let tests: Vec<String> = tests.collect();
        let examples: Vec<String> = feature.examples.iter().map(|name| format!("[{name}](../examples/{name})")).collect();
        let [rust, python, javascript] = Language::ALL.map(|language| code(written(&feature, language)));
        writeln!(
            page,
            "| {} | {rust} | {python} | {javascript} | {} | {} |",
            feature.name,
            examples.join(", "),
            tests.join(" · ")
        )?;
    }
    let only = names::only()?;
    page.push_str("\n## Names\n\nWhat the SDKs export. Names are the same but for the case of letters.\n\n");
    names_of(&mut page, &names::of(Surface::Sdk)?, &only.sdk)?;
    page.push_str("\n## Test kits\n\nThe methods of `Run`.\n\n");
    names_of(&mut page, &names::of(Surface::TestKit)?, &only.test_kit)?;
    Ok(page)
}

fn names_of(page: &mut String, names: &Names, only: &[OnlySome]) -> Result<()> {
    page.push_str("| Rust | Python | JavaScript | |\n|---|---|---|---|\n");
    for (name, by) in names {
        let reason = only.iter().find(|some| some.names.contains(name)).map(|some| some.because.as_str()).unwrap_or_default();
        let spelled =
            Language::ALL.map(|of| by.iter().find(|(by, _)| *by == of).map(|(_, name)| code(name)).unwrap_or_default());
        writeln!(page, "| {} | {reason} |", spelled.join(" | "))?;
    }
    Ok(())
}

fn code(text: &str) -> String {
    if text.contains("code `") { text.to_owned() } else { format!("`{}`", text.replace('|', "\\|")) }
}
