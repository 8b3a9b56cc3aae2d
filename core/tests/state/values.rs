//! What counts as a value here, Postgres can show.

use currant_core::values::Json;
use currant_test_support::TestDatabase;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// JSON text with everything odd in it: numbers of any size, escapes, surrogates, deep nesting.
fn text() -> impl Strategy<Value = String> {
    let number = "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,5})?";
    let long = ("[1-9]", 1..12_000usize, -12_000..12_000i32)
        .prop_map(|(digit, length, exponent)| format!("0.{}e{exponent}", digit.repeat(length)));
    let string = "\"([a-zé \u{1f600}]|\\\\[nrtbf/\\\\\"]|\\\\u[0-9a-fA-F]{4}|\\\\ud83d\\\\ude00){0,8}\"";
    let leaf = prop_oneof![
        4 => number.prop_map(String::from),
        1 => long,
        4 => string.prop_map(String::from),
        1 => Just("null".to_string()),
        1 => Just("true".to_string()),
        1 => (1..200usize).prop_map(|depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth))),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[ {}]", items.join(" ,"))),
            prop::collection::vec((string, inner), 0..4).prop_map(|entries| {
                let entries: Vec<_> = entries.iter().map(|(name, value)| format!("{name}:\t{value}")).collect();
                format!("{{{}}}\n", entries.join(","))
            }),
        ]
    })
}

#[tokio::test]
async fn what_is_accepted_is_kept_byte_for_byte_and_can_be_shown() {
    let database = TestDatabase::empty().await;
    let mut connection = database.connect().await;
    let mut runner = TestRunner::deterministic();
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..2_000 {
        let text = text().new_tree(&mut runner).unwrap().current();
        let Ok(value) = Json::parse(text.clone()) else {
            refused += 1;
            continue;
        };
        accepted += 1;
        let shown: Result<(Json, String), _> =
            sqlx::query_as("select $1::json, ($1::json)::jsonb::text").bind(&value).fetch_one(&mut connection).await;
        let (kept, _) = shown.unwrap_or_else(|error| panic!("accepted, but Postgres says {error}: {text}"));
        assert_eq!(kept.as_str(), text);
    }
    assert!(accepted > 500 && refused > 50, "{accepted} accepted, {refused} refused");
}

#[tokio::test]
async fn the_largest_numbers_that_are_accepted_can_be_shown() {
    let database = TestDatabase::empty().await;
    let mut connection = database.connect().await;
    let digits = "9".repeat(9_999);
    for number in
        ["1e10000", "1e-10000", &digits, &format!("-0.{digits}"), &format!("0.{digits}e-6000"), &format!("{digits}e6000")]
    {
        let value = Json::parse(number.to_string()).unwrap_or_else(|error| panic!("{error}: {}…", &number[..5]));
        sqlx::query("select ($1::json)::jsonb").bind(&value).execute(&mut connection).await.unwrap();
    }
    assert!(Json::parse(format!("0.{digits}e-10000")).is_err(), "too many places for Postgres");
}
