//! Files that are written from tables and checked in: rewritten by the test that finds them stale,
//! except in CI, where stale means failed. For tests.

/// Compares a file with what it should be.
///
/// # Panics
/// When it is stale: in CI, or after it was rewritten.
pub(crate) fn check(path: &str, expected: &str) {
    let found = std::fs::read_to_string(path).unwrap_or_default();
    if found == expected {
        return;
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "{path} is stale: run the tests without CI set and commit what they write"
    );
    std::fs::write(path, expected).expect("the checkout can be written to");
}
