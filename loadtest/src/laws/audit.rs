//! What the service's own audit says of the database's side, as the harness reads it.
//!
//! Never here: a judgement of our own; the counts are taken as they are and only the promised
//! number of cases is added.

use serde::Deserialize;
use serde_json::Value;

use super::{Check, EXAMPLES_MAX};

/// The answer of `GET /admin/audit`.
#[derive(Debug, Clone, Deserialize)]
pub struct Audit {
    /// What was checked.
    pub checks: Vec<AuditCheck>,
}

/// One check of it.
#[derive(Debug, Clone, Deserialize)]
pub struct AuditCheck {
    /// The law's number.
    pub law: u8,
    /// What was looked at.
    pub name: String,
    /// How many cases there were.
    pub cases: u64,
    /// How many broke the law.
    pub violations: u64,
    /// The first few of them.
    #[serde(default)]
    pub examples: Vec<String>,
    /// More counts, by name.
    #[serde(default)]
    pub detail: Value,
}

impl Audit {
    /// The checks, each with the least number of cases that `promised` gives for its law.
    #[must_use]
    pub fn checks(&self, promised: impl Fn(&AuditCheck) -> u64) -> Vec<Check> {
        self.checks
            .iter()
            .map(|check| Check {
                law: check.law,
                name: format!("audit: {}", check.name),
                cases: check.cases,
                promised: promised(check),
                violations: check.violations,
                examples: check.examples.iter().take(EXAMPLES_MAX).cloned().collect(),
            })
            .collect()
    }

    /// A count from a check's detail.
    #[must_use]
    pub fn detail(&self, law: u8, name: &str) -> Option<u64> {
        let checks = self.checks.iter().filter(|check| check.law == law);
        checks.filter_map(|check| check.detail.get(name)).find_map(Value::as_u64)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_audits_word_is_taken_and_its_cases_are_counted() {
        let audit: Audit = serde_json::from_str(
            r#"{"as_of":"2027-03-09T12:00:00Z","checks":[
                {"law":1,"name":"conservation","cases":10,"violations":0,"examples":[],
                 "detail":{"expected":40}},
                {"law":2,"name":"attempts","cases":5,"violations":1,"examples":["message 7"]}]}"#,
        )
        .unwrap();
        let checks = audit.checks(|check| if check.law == 1 { 11 } else { 5 });
        assert!(!checks[0].passed(), "fewer cases than promised");
        assert!(!checks[1].passed() && checks[1].examples == ["message 7"]);
        assert_eq!(audit.detail(1, "expected"), Some(40));
        assert_eq!(audit.detail(1, "sent"), None);
    }
}
