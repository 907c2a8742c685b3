//! Reminders by what became of them, as reports tell it.
//!
//! Never here: texts; one may be the reminder of several appointments.

use std::collections::BTreeMap;

use contract::Fate;
use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::Row;

use super::sheet::Line;

/// Most days of counts in a report: a row each.
pub(crate) const DAYS_MAX: u16 = 90;

/// Counts in the order of the table of fates.
pub(crate) type ByFate = [i64; Fate::COUNT];

/// Expected is the sum of sent, suppressed, failed, expired, ambiguous and pending; delivered,
/// undelivered and replied are parts of sent, and confirmed of replied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Counts {
    pub(crate) expected: i64,
    pub(crate) sent: i64,
    pub(crate) suppressed: Suppressed,
    pub(crate) failed: i64,
    pub(crate) expired: i64,
    pub(crate) ambiguous: i64,
    pub(crate) pending: i64,
    pub(crate) delivered: i64,
    pub(crate) undelivered: i64,
    pub(crate) replied: i64,
    /// The patient's last answer was yes.
    pub(crate) confirmed: i64,
}

/// Suppressed reminders by reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "SuppressedCounts")]
pub(crate) struct Suppressed {
    pub(crate) cancelled: i64,
    pub(crate) moved: i64,
    pub(crate) opted_out: i64,
    pub(crate) not_allowed: i64,
}

/// The cells of [`Counts`].
const COLUMNS: [&str; 14] = [
    "expected",
    "sent",
    "suppressed_cancelled",
    "suppressed_moved",
    "suppressed_opted_out",
    "suppressed_not_allowed",
    "failed",
    "expired",
    "ambiguous",
    "pending",
    "delivered",
    "undelivered",
    "replied",
    "confirmed",
];

/// The columns of counts behind those that say of what.
pub(crate) const fn columns<const N: usize, const ALL: usize>(
    of: [&'static str; N],
) -> [&'static str; ALL] {
    assert!(ALL == N + COLUMNS.len());
    let mut all = [""; ALL];
    let mut at = 0;
    while at < ALL {
        all[at] = if at < N { of[at] } else { COLUMNS[at - N] };
        at += 1;
    }
    all
}

impl Counts {
    /// Pending is what has not come to another fate.
    pub(crate) fn of(n: &ByFate) -> Self {
        let of = |fate: Fate| n[fate.index()];
        Self {
            expected: of(Fate::Expected),
            sent: of(Fate::Sent),
            suppressed: Suppressed {
                cancelled: of(Fate::SuppressedCancelled),
                moved: of(Fate::SuppressedMoved),
                opted_out: of(Fate::SuppressedOptedOut),
                not_allowed: of(Fate::SuppressedNotAllowed),
            },
            failed: of(Fate::Failed),
            expired: of(Fate::Expired),
            ambiguous: of(Fate::Ambiguous),
            pending: of(Fate::Expected) - ended(n),
            delivered: of(Fate::Delivered),
            undelivered: of(Fate::Undelivered),
            replied: of(Fate::Replied),
            confirmed: of(Fate::Confirmed),
        }
    }

    /// Writes the cells.
    pub(crate) fn write(&self, line: &mut Line) {
        line.number(self.expected)
            .number(self.sent)
            .number(self.suppressed.cancelled)
            .number(self.suppressed.moved)
            .number(self.suppressed.opted_out)
            .number(self.suppressed.not_allowed)
            .number(self.failed)
            .number(self.expired)
            .number(self.ambiguous)
            .number(self.pending)
            .number(self.delivered)
            .number(self.undelivered)
            .number(self.replied)
            .number(self.confirmed);
    }
}

/// Promises that have come to an end.
fn ended(n: &ByFate) -> i64 {
    let ends = Fate::ALL.iter().filter(|fate| fate.ends_a_promise());
    ends.map(|fate| n[fate.index()]).sum()
}

/// Adds to one of the counts; a fate that isn't known here is a newer release's.
pub(crate) fn add(n: &mut ByFate, fate: i16, more: i64) {
    if let Some(count) = usize::try_from(fate).ok().and_then(|fate| n.get_mut(fate)) {
        *count += more;
    }
}

/// Gathers rows of a fate and its count by what they are of.
pub(crate) fn by<K: Ord>(rows: &[Row], of: impl Fn(&Row) -> K) -> BTreeMap<K, ByFate> {
    let mut counts: BTreeMap<K, ByFate> = BTreeMap::new();
    for row in rows {
        add(counts.entry(of(row)).or_default(), row.get("fate"), row.get("n"));
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pending_is_what_is_left() {
        let mut n = ByFate::default();
        for (fate, more) in [
            (Fate::Expected, 10),
            (Fate::Sent, 6),
            (Fate::SuppressedCancelled, 1),
            (Fate::Delivered, 5),
            (Fate::Replied, 2),
            (Fate::Confirmed, 1),
        ] {
            add(&mut n, fate.index() as i16, more);
        }
        add(&mut n, -1, 100);
        add(&mut n, 100, 100);
        let counts = Counts::of(&n);
        assert_eq!((counts.pending, counts.delivered, counts.confirmed), (3, 5, 1));
    }
}
