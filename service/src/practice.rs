//! Practices: their settings and rules as the planner and the renderer need them, where they are
//! stored, and the bounded memory of them. A revision never changes once written, so it can be
//! kept for ever. A practice's name and sender are those of its newest revision, and which one that
//! is is asked again after a second.
//!
//! Never here: planning (`plan`), rendering (`text`), keys (`http::auth`).

pub(crate) mod cache;
pub(crate) mod senders;
pub(crate) mod store;

use std::sync::Arc;

use jiff::civil::Time;
use jiff::tz::TimeZone;

pub(crate) use cache::Practices;
pub(crate) use senders::Senders;

/// A practice as it is now: what its texts show and come from, whichever revision planned them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Practice {
    /// As texts show it.
    pub(crate) name: String,
    /// The number its texts come from.
    pub(crate) sender: i64,
    /// Its newest settings and rules. A change of any of these three opens a new revision.
    pub(crate) newest: Arc<Revision>,
}

/// One revision of a practice's settings and rules: nothing in it ever changes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Revision {
    /// Whose.
    pub(crate) practice_id: i64,
    /// Counted from one.
    pub(crate) revision: i32,
    /// Where its days begin and its hours count.
    pub(crate) timezone: TimeZone,
    /// The zone's name in the tz database.
    pub(crate) timezone_name: String,
    /// Nothing is sent before this local time.
    pub(crate) send_from: Time,
    /// Nothing is sent from this local time on.
    pub(crate) send_until: Time,
    /// In order of their ids.
    pub(crate) rules: Vec<Rule>,
}

impl Revision {
    /// The rule of that id.
    pub(crate) fn rule(&self, rule_id: i16) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.rule_id == rule_id)
    }
}

/// When a reminder is due, what it is grouped with and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Unique in its practice.
    pub(crate) rule_id: i16,
    /// For people.
    pub(crate) name: String,
    /// Calendar days before the appointment, at its local wall time.
    pub(crate) before_days: i16,
    /// Minutes before that.
    pub(crate) before_minutes: i32,
    /// Appointments due in the same window of this length share one text.
    pub(crate) grouping_minutes: i32,
    /// Texts leave spread over this many seconds.
    pub(crate) scatter_seconds: i32,
    /// The text, as a template.
    pub(crate) template: String,
}
