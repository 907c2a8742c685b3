//! Reconciliation: what appointments and rules promise against what is planned and waits, derived
//! by SQL that shares nothing with the planner, and against how it is counted, all the time, on a
//! replica, a part of the practices at a time. What is out of order is named, and shown until it is
//! mended or whoever runs a repair is told that it is too late.
//!
//! Belongs here: a look at the practices whose turn it is (`visit`, and `balance` for the counts),
//! what is remembered of it (`ledger`), mending on demand (`repair`), the provider's list
//! (`accepted`). Never here: when whose turn is (`stages::reconcile`), the other laws (`audit`).

pub(crate) mod accepted;
mod balance;
pub(crate) mod ledger;
pub(crate) mod repair;
pub(crate) mod visit;

use contract::ResidualKind;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::Row;

/// Promises that are named in one look at a shard; more are counted.
pub(crate) const NAMED_MAX: i64 = 1_000;
/// How long a text may wait after its appointment began until it is out of order: the stages end
/// it, and they too take their time.
const ENDED_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// The server can't compute with what is stored of a practice.
const UNCOMPUTABLE: &str = "i";

/// A promise that is out of order, or the counts of a day and rule, by name; or a practice of which
/// nobody can say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Residual {
    pub(crate) practice_id: i64,
    /// Empty, and the rule 0, where only the provider knows of the text, and of a practice; of
    /// counts empty.
    pub(crate) appointment_id: String,
    pub(crate) rule_id: i16,
    /// The practice's date on which it is due; of a text that only the provider knows, in UTC; of a
    /// practice the last that there is.
    #[schemars(with = "String")]
    pub(crate) day: Date,
    /// `missing`, `surplus`, `unfinished` or, of counts, `unbalanced`, of a practice, `uncompared`.
    #[serde(serialize_with = "by_name")]
    #[schemars(with = "String")]
    pub(crate) kind: ResidualKind,
    /// Why, as far as it is known.
    pub(crate) reason: &'static str,
    /// When its appointment begins, in domain time; of counts the end of their day, in UTC, and of
    /// a practice when that was found first, as are the other two.
    #[schemars(with = "String")]
    pub(crate) starts_at: Timestamp,
    /// When it was or is to leave at the earliest, in domain time.
    #[schemars(with = "String")]
    pub(crate) due_at: Timestamp,
    /// When it can't leave any more, in domain time.
    #[schemars(with = "String")]
    pub(crate) closes_at: Timestamp,
    /// The provider's name for its text, where the provider's list says otherwise than we do.
    pub(crate) provider_ref: Option<String>,
    /// Tells two of the same name apart: the version that planned it, or the text's number.
    #[serde(skip)]
    pub(crate) plan_version: i64,
    /// As it is stored.
    #[serde(skip)]
    pub(crate) reason_code: String,
}

fn by_name<S: serde::Serializer>(kind: &ResidualKind, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(kind.name())
}

impl Residual {
    /// Of a row with its columns; none where the row holds none.
    pub(crate) fn of_row(row: &Row) -> Option<Self> {
        let kind: Option<String> = row.get("kind");
        let kind = kind_of(&kind?)?;
        let reason_code: String = row.get("reason");
        let provider_ref: String = row.get("provider_ref");
        Some(Self {
            practice_id: row.get("practice_id"),
            appointment_id: row.get("appointment_id"),
            rule_id: row.get("rule_id"),
            day: row.get("due_day"),
            kind,
            reason: reason_of(&reason_code),
            starts_at: row.get("starts_at"),
            due_at: row.get("due_at"),
            closes_at: row.get("closes_at"),
            provider_ref: (!provider_ref.is_empty()).then_some(provider_ref),
            plan_version: row.get("plan_version"),
            reason_code,
        })
    }

    /// A practice that can't be compared, since an instant.
    fn uncompared(practice_id: i64, since: Timestamp) -> Self {
        Self {
            practice_id,
            appointment_id: String::new(),
            rule_id: 0,
            // Of no day, and so of none that is over.
            day: Date::MAX,
            kind: ResidualKind::Uncompared,
            reason: reason_of(UNCOMPUTABLE),
            starts_at: since,
            due_at: since,
            closes_at: since,
            provider_ref: None,
            plan_version: 0,
            reason_code: UNCOMPUTABLE.to_owned(),
        }
    }

    /// The same promise, out of order in the same way.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let key = |r: &Self| (r.practice_id, r.rule_id, r.day, r.plan_version, r.kind);
        key(self) == key(other)
            && self.appointment_id == other.appointment_id
            && self.provider_ref == other.provider_ref
    }

    /// Whether it is too late for what would have mended it.
    pub(crate) fn is_too_late(&self, domain_now: Timestamp) -> bool {
        self.kind == ResidualKind::Missing && !self.is_mendable(domain_now)
    }

    /// Whether a repair can still mend it.
    pub(crate) fn is_mendable(&self, domain_now: Timestamp) -> bool {
        if self.provider_ref.is_some() {
            return false; // it left, or is counted as if it had
        }
        match self.kind {
            ResidualKind::Missing => domain_now < self.closes_at && domain_now < self.starts_at,
            ResidualKind::Surplus => true,
            // The stages end it, or there is no stage at work.
            ResidualKind::Unfinished => false,
            // By what the counts lack.
            ResidualKind::Unbalanced => true,
            // By whoever puts right what is stored of it.
            ResidualKind::Uncompared => false,
        }
    }
}

impl std::fmt::Display for Residual {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { practice_id, appointment_id, rule_id, day, kind, reason, .. } = self;
        write!(f, "{}: practice {practice_id}", kind.name())?;
        match kind {
            ResidualKind::Uncompared => return write!(f, ": {reason}"),
            ResidualKind::Unbalanced => return write!(f, " rule {rule_id} day {day}: {reason}"),
            ResidualKind::Missing | ResidualKind::Surplus | ResidualKind::Unfinished => {}
        }
        if !appointment_id.is_empty() {
            write!(f, " appointment {appointment_id} rule {rule_id}")?;
        }
        write!(f, " day {day}, due {}, too late at {}: {reason}", self.due_at, self.closes_at)?;
        match &self.provider_ref {
            Some(provider_ref) => write!(f, " ({provider_ref})"),
            None => Ok(()),
        }
    }
}

/// The kind behind its stored letter.
pub(crate) fn kind_of(code: &str) -> Option<ResidualKind> {
    ResidualKind::ALL.iter().copied().find(|&kind| code_of(kind) == code)
}

/// As `residual.kind` stores it.
pub(crate) const fn code_of(kind: ResidualKind) -> &'static str {
    match kind {
        ResidualKind::Missing => "m",
        ResidualKind::Surplus => "s",
        ResidualKind::Unfinished => "u",
        ResidualKind::Unbalanced => "b",
        ResidualKind::Uncompared => "i",
    }
}

fn reason_of(code: &str) -> &'static str {
    match code {
        "r" => "the practice is being planned again",
        "x" => "it was ended as cancelled or moved",
        "v" => "the provider doesn't list its text",
        "c" => "its appointment was cancelled",
        "t" => "it is planned twice",
        "n" => "no rule gives it",
        "k" => "the provider took a text that is not known here",
        "p" => "it was never released",
        "q" => "its text still waits in its lane",
        "l" => "its text is gone, or waits in no lane",
        "e" => "expected is not what became of it and what waits",
        "f" => "a fate is counted otherwise than the promises say",
        UNCOMPUTABLE => "the server can't compute with what is stored of it; the log has its words",
        _ => "no reason is known",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn stored_letters_are_the_kinds() {
        for &kind in ResidualKind::ALL {
            assert_eq!(kind_of(code_of(kind)), Some(kind));
        }
        assert_eq!(kind_of("?"), None);
    }

    /// The letters that the schema allows.
    #[test]
    fn every_stored_reason_has_words_of_its_own() {
        let schema = include_str!("../migrations/V1__reminders.sql");
        let (_, list) = schema.split_once("CHECK (reason IN ('?',").unwrap();
        let (list, _) = list.split_once("))").unwrap();
        let codes: Vec<&str> = list.split(',').map(|code| code.trim().trim_matches('\'')).collect();
        assert_eq!(codes.len(), 13, "{codes:?}");
        let words: HashSet<&str> = codes.iter().map(|code| reason_of(code)).collect();
        assert!(words.len() == codes.len() && !words.contains(reason_of("?")), "{words:?}");
    }
}
