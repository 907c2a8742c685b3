//! Names that live as long as the program: kinds of requests and reasons of failures are few, are
//! known when a run begins or come from a closed set, and stand in every row and record.
//!
//! Never here: text from outside without a bound on how many there can be.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

static NAMES: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);

/// The name as one that is never freed; each is kept once.
#[must_use]
pub fn name(text: &str) -> &'static str {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(text) {
        return known;
    }
    #[expect(clippy::disallowed_methods, reason = "no label: goose wants names that live for ever")]
    let name: &'static str = Box::leak(text.to_owned().into_boxed_str());
    names.insert(name);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once() {
        assert_eq!(name("read_x"), "read_x");
        assert!(std::ptr::eq(name("read_x"), name("read_x")));
    }
}
