//! Appends to the counts, in the transaction that makes the counted fact true.

use contract::{Fate, Query};
use jiff::civil::Date;

use super::{DbError, Tx};

/// A change of one count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TallyDelta {
    /// Whose.
    pub(crate) practice_id: i64,
    /// On which of its local days.
    pub(crate) local_day: Date,
    /// Under which rule.
    pub(crate) rule_id: i16,
    /// Which count.
    pub(crate) fate: Fate,
    /// By how much; may be negative.
    pub(crate) n: i32,
}

/// Adds up what is alike and appends it. Nothing to add is nothing done.
pub(crate) async fn append(tx: &Tx<'_>, shard: i16, deltas: &[TallyDelta]) -> Result<(), DbError> {
    let merged = merge(deltas);
    if merged.is_empty() {
        return Ok(());
    }
    let practices: Vec<i64> = merged.iter().map(|d| d.practice_id).collect();
    let days: Vec<Date> = merged.iter().map(|d| d.local_day).collect();
    let rules: Vec<i16> = merged.iter().map(|d| d.rule_id).collect();
    let fates: Vec<i16> = merged.iter().map(|d| stored(d.fate)).collect();
    let counts: Vec<i32> = merged.iter().map(|d| d.n).collect();
    tx.execute(Query::TallyDeltaInsert, &[&shard, &practices, &days, &rules, &fates, &counts])
        .await?;
    Ok(())
}

/// How a fate is stored: its position in the table, which never changes.
pub(crate) const fn stored(fate: Fate) -> i16 {
    fate.index() as i16 // there are thirteen
}

fn merge(deltas: &[TallyDelta]) -> Vec<TallyDelta> {
    let mut sorted = deltas.to_vec();
    sorted.sort_unstable_by_key(|d| (d.practice_id, d.local_day, d.rule_id, d.fate));
    let mut merged: Vec<TallyDelta> = Vec::with_capacity(sorted.len());
    for delta in sorted {
        match merged.last_mut() {
            Some(last) if TallyDelta { n: 0, ..*last } == TallyDelta { n: 0, ..delta } => {
                last.n += delta.n;
            }
            Some(_) | None => merged.push(delta),
        }
    }
    merged.retain(|delta| delta.n != 0);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alike_is_added_and_nothing_is_dropped() {
        let day = Date::constant(2026, 5, 4);
        let of =
            |practice_id, fate, n| TallyDelta { practice_id, local_day: day, rule_id: 1, fate, n };
        let merged = merge(&[
            of(2, Fate::Sent, 1),
            of(1, Fate::Sent, 1),
            of(2, Fate::Sent, 3),
            of(1, Fate::Expected, 2),
            of(1, Fate::Expected, -2),
        ]);
        assert_eq!(merged, [of(1, Fate::Sent, 1), of(2, Fate::Sent, 4)]);
    }
}
