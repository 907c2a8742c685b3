//! The parameters of a path: what stood where the template has `{name}`, decoded.

use std::str::FromStr;

use super::problem::{Code, Problem};

/// The parameters of a path, in the template's order.
#[derive(Debug, Clone, Default)]
pub(crate) struct PathParams(Vec<(&'static str, String)>);

impl PathParams {
    pub(super) const fn new(params: Vec<(&'static str, String)>) -> Self {
        Self(params)
    }

    /// A parameter as it stands. Empty if the template has none of that name, which is a bug that
    /// the endpoint's test shows.
    pub(crate) fn str(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| *found == name).map_or("", |(_, value)| value)
    }

    /// A positive whole number that JSON's numbers hold exactly.
    pub(crate) fn i64(&self, name: &'static str) -> Result<i64, Problem> {
        let sane = |n: &i64| (1..=MAX_ID).contains(n);
        self.parse(name, "a whole number from 1 to 9007199254740991", sane)
    }

    /// A positive whole number of 31 bits.
    pub(crate) fn i32(&self, name: &'static str) -> Result<i32, Problem> {
        self.parse(name, "a whole number from 1 to 2147483647", |n: &i32| *n > 0)
    }

    /// A day.
    pub(crate) fn date(&self, name: &'static str) -> Result<jiff::civil::Date, Problem> {
        self.parse(name, "a day such as 2026-05-04", |_| true)
    }

    fn parse<T: FromStr>(
        &self,
        name: &'static str,
        expected: &str,
        sane: impl Fn(&T) -> bool,
    ) -> Result<T, Problem> {
        let text = self.str(name);
        // Signs and the like would make two paths of one thing.
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let parsed = if plain { text.parse().ok().filter(sane) } else { None };
        parsed.ok_or_else(|| {
            Problem::new(Code::BadPath, format!("{name} in the path must be {expected}"))
        })
    }
}

/// Largest id: 2^53 − 1.
pub(crate) const MAX_ID: i64 = 9_007_199_254_740_991;

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: &str) -> PathParams {
        PathParams::new(vec![("x", value.to_owned())])
    }

    #[test]
    fn numbers() {
        assert_eq!(with("42").i64("x").unwrap(), 42);
        assert_eq!(with("9007199254740991").i64("x").unwrap(), MAX_ID);
        for bad in ["0", "-1", "+1", "1.0", "9007199254740992", "x", "", "99999999999999999999"] {
            let problem = with(bad).i64("x").unwrap_err();
            assert_eq!(problem.code, Code::BadPath, "{bad}");
            assert!(problem.detail.starts_with("x in the path must be"), "{}", problem.detail);
        }
    }

    #[test]
    fn days() {
        assert_eq!(with("2026-05-04").date("x").unwrap(), jiff::civil::date(2026, 5, 4));
        for bad in ["2026-02-30", "2026-5-4", "today", "2026-05-04T00:00", ""] {
            assert!(with(bad).date("x").is_err(), "{bad}");
        }
    }
}
