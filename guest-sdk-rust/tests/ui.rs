//! What the attributes refuse, and where the error points: at what the user wrote. `TRYBUILD=overwrite` writes the expectations anew.

#[test]
fn errors_point_at_what_the_user_wrote() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
