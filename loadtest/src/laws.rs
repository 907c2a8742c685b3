//! The laws, judged from outside: what the audit says of the database, what the provider's log
//! says of the wire, and what the harness itself was answered, joined.
//!
//! Each check says how many cases it had and how many the plan promised at least: a check that
//! looked at nothing must not pass.
//!
//! Belongs here: judging records. Never here: making them (`replay`), printing them (`report`).

pub mod audit;
pub mod cancelled;
pub mod counts;
pub mod family;
pub mod hours;
pub mod limits;
pub mod named;
pub mod once;
pub mod order;
pub mod wire;

use schemars::JsonSchema;
use serde::Serialize;

/// The laws that a replay checks, by their numbers in the design.
pub const LAWS: [(u8, &str); 9] = [
    (1, "conservation"),
    (2, "no unknown duplicates"),
    (3, "order per recipient"),
    (4, "cancel-safe"),
    (6, "nothing outside hours"),
    (7, "one text per group"),
    (9, "causal reads"),
    (11, "everything bounded"),
    (12, "nothing unnamed"),
];

/// Violations that are named; the others are counted.
pub const EXAMPLES_MAX: usize = 5;

/// One side of a law.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Check {
    /// The law's number.
    pub law: u8,
    /// What was looked at, in a few words.
    pub name: String,
    /// How many cases there were.
    pub cases: u64,
    /// How many the plan promised at least.
    pub promised: u64,
    /// How many cases broke the law.
    pub violations: u64,
    /// The first few of them.
    pub examples: Vec<String>,
}

impl Check {
    /// A check without a case so far.
    #[must_use]
    pub fn new(law: u8, name: &str, promised: u64) -> Self {
        Self { law, name: name.to_owned(), cases: 0, promised, violations: 0, examples: Vec::new() }
    }

    /// Counts a case that kept the law.
    pub fn kept(&mut self) {
        self.cases += 1;
    }

    /// Counts a case that broke it.
    pub fn broken(&mut self, example: impl FnOnce() -> String) {
        self.cases += 1;
        self.refuted(example);
    }

    /// Counts what breaks it without being a case.
    pub fn refuted(&mut self, example: impl FnOnce() -> String) {
        self.violations += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(example());
        }
    }

    /// Counts a case.
    pub fn case(&mut self, kept: bool, example: impl FnOnce() -> String) {
        if kept { self.kept() } else { self.broken(example) }
    }

    /// True when nothing broke it and there were as many cases as promised.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.violations == 0 && self.cases >= self.promised
    }
}

/// A law and all that was checked of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Verdict {
    /// The law's number.
    pub law: u8,
    /// Its name.
    pub name: &'static str,
    /// What was looked at.
    pub checks: Vec<Check>,
    /// True when every check passed and there was at least one.
    pub passed: bool,
}

/// Sorts checks by law. A law without a check fails.
#[must_use]
pub fn verdicts(checks: &[Check]) -> Vec<Verdict> {
    LAWS.iter()
        .map(|&(law, name)| {
            let checks: Vec<_> = checks.iter().filter(|c| c.law == law).cloned().collect();
            let passed = !checks.is_empty() && checks.iter().all(Check::passed);
            Verdict { law, name, checks, passed }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_law_fails_on_a_violation_on_few_cases_and_on_none() {
        let check = |law, cases, promised, violations| Check {
            cases,
            violations,
            ..Check::new(law, "x", promised)
        };
        let all: Vec<_> = LAWS.iter().map(|&(law, _)| check(law, 5, 5, 0)).collect();
        assert!(verdicts(&all).iter().all(|v| v.passed));
        for (i, &(law, _)) in LAWS.iter().enumerate() {
            for worse in [check(law, 5, 5, 1), check(law, 4, 5, 0)] {
                let mut checks = all.clone();
                checks.push(worse);
                assert!(!verdicts(&checks)[i].passed, "law {law}");
            }
            let mut checks = all.clone();
            checks.remove(i);
            assert!(!verdicts(&checks)[i].passed, "law {law} unchecked");
        }
    }

    #[test]
    fn examples_are_few_and_violations_are_all_counted() {
        let mut check = Check::new(2, "x", 0);
        (0..100).for_each(|i| check.broken(|| i.to_string()));
        assert_eq!((check.cases, check.violations), (100, 100));
        assert_eq!(check.examples, ["0", "1", "2", "3", "4"]);
    }
}
