//! What a check of the review found, in the one form that all checks share.

use contract::Query;
use serde::{Deserialize, Serialize};

/// How much something matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// As it should be; told as the nearest to a finding.
    Fine,
    /// Costs something: look at it when there is time.
    Watch,
    /// Harms, or will: somebody must act.
    Act,
}

impl Severity {
    /// As in JSON and in the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Watch => "watch",
            Self::Act => "act",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Finding {
    /// The index, table, session, sequence or slot.
    pub(crate) subject: String,
    /// How much it matters.
    pub(crate) severity: Severity,
    /// Its size, age or share.
    pub(crate) value: f64,
    /// What the value counts: `bytes`, `seconds`, `rows` or `ratio`.
    pub(crate) unit: String,
    /// What there is to know about it.
    pub(crate) says: String,
}

/// A check of the review.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Check {
    /// Its name: its statement's, less `review_`.
    pub(crate) name: String,
    /// What it looks for.
    pub(crate) looks_for: String,
    /// What it found, the worst first.
    pub(crate) findings: Vec<Finding>,
    /// Where there is no finding: what comes nearest to one.
    pub(crate) nearest: Option<Finding>,
    /// Why it could not look.
    pub(crate) refused: Option<String>,
}

impl Check {
    /// A check that was made.
    pub(super) fn made(query: Query, looked_at: Vec<Finding>) -> Self {
        let (mut findings, fine): (Vec<_>, Vec<_>) =
            looked_at.into_iter().partition(|found| found.severity > Severity::Fine);
        findings.sort_by_key(|found| std::cmp::Reverse(found.severity)); // stable
        let nearest = if findings.is_empty() { fine.into_iter().next() } else { None };
        Self { findings, nearest, ..Self::of(query) }
    }

    /// A check that the server refuses.
    pub(super) fn refused(query: Query, why: String) -> Self {
        Self { refused: Some(why), ..Self::of(query) }
    }

    fn of(query: Query) -> Self {
        Self {
            name: query.name().trim_start_matches("review_").to_owned(),
            looks_for: query.help().to_owned(),
            findings: Vec::new(),
            nearest: None,
            refused: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(subject: &str, severity: Severity) -> Finding {
        let (unit, says) = ("bytes".to_owned(), String::new());
        Finding { subject: subject.into(), severity, value: 1.0, unit, says }
    }

    #[test]
    fn the_worst_come_first_and_what_is_fine_only_where_nothing_else_is() {
        let looked_at = vec![
            found("a", Severity::Fine),
            found("b", Severity::Watch),
            found("c", Severity::Act),
            found("d", Severity::Watch),
        ];
        let check = Check::made(Query::ReviewSlots, looked_at.clone());
        let subjects: Vec<_> = check.findings.iter().map(|found| found.subject.as_str()).collect();
        assert_eq!((subjects, check.nearest), (vec!["c", "b", "d"], None));
        let check = Check::made(Query::ReviewSlots, looked_at[..1].to_vec());
        assert_eq!((check.name.as_str(), check.findings.len()), ("slots", 0));
        assert_eq!(check.nearest.map(|found| found.subject).as_deref(), Some("a"));
    }
}
