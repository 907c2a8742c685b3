//! Law 1's equation by the counts that reports read: for each practice, day and rule expected is
//! what became of its promises and what waits, each counted as the promises and their texts say.
//! It is looked at with the promises, and put right on demand, by appending what the counts lack.
//!
//! Never here: which promises there must be (`visit`), the same of all days (`audit`).

use std::collections::BTreeSet;
use std::time::Duration;

use contract::{Fate, Pool, Query, Read, ResidualKind, Stage};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use tokio::time::sleep;
use tokio_postgres::Row;

use super::{NAMED_MAX, Residual};
use crate::db::router::Reader;
use crate::db::tally::{self, TallyDelta};
use crate::db::{Db, DbError, Params, Tx};
use crate::stages::maintainer;

/// Expected isn't the sum of what became of it and of what waits.
const NO_SUM: &str = "e";
/// It is, and one of them isn't counted as it is.
const OTHER_FATE: &str = "f";

/// How often, and after which pause, the right to put counts right is asked for: whoever has it
/// looks whose turn it is, or puts them right.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// What of the counts differs.
pub(super) struct Unbalanced {
    /// Practices, days and rules, also where they aren't named.
    pub(super) violations: u64,
    /// By name, at most [`NAMED_MAX`].
    pub(super) named: Vec<Residual>,
}

/// Looks at the counts of practices from a day on, on the reader's server, which sees no less than
/// it saw before.
pub(super) async fn look(
    reader: &mut Reader,
    (shard, practices, since): (i16, &[i64], Date),
) -> Result<Unbalanced, DbError> {
    let params: Params<'_> = &[&shard, &practices, &since, &NAMED_MAX];
    let rows = reader.rows(Read::ReconcileCounts, params).await?;
    let violations = rows.first().map_or(0, |row| row.get::<_, i64>("violations"));
    Ok(Unbalanced {
        violations: u64::try_from(violations).unwrap_or(0),
        named: rows.iter().map(|row| Differing::of(row).residual()).collect(),
    })
}

/// Counts of a practice, day and rule that differ from its promises.
struct Differing {
    practice_id: i64,
    day: Date,
    rule_id: i16,
    /// Under which fates, and how many too many each counts.
    too_many: Vec<(Fate, i64)>,
}

impl Differing {
    fn of(row: &Row) -> Self {
        let (fates, too_many): (Vec<i16>, Vec<i64>) = (row.get("fates"), row.get("too_many"));
        let fate = |code: i16| Fate::ALL.iter().copied().find(|&fate| tally::stored(fate) == code);
        let pairs = fates.into_iter().zip(too_many);
        Self {
            practice_id: row.get("practice_id"),
            day: row.get("local_day"),
            rule_id: row.get("rule_id"),
            too_many: pairs.filter_map(|(code, n)| fate(code).map(|fate| (fate, n))).collect(),
        }
    }

    /// The equation's residual: expected less what became of it. What waits is counted by the
    /// promises themselves.
    fn left_over(&self) -> i64 {
        let signed = |&(fate, n): &(Fate, i64)| if fate == Fate::Expected { n } else { -n };
        self.too_many.iter().map(signed).sum()
    }

    fn residual(&self) -> Residual {
        let reason = if self.left_over() == 0 { OTHER_FATE } else { NO_SUM };
        let over = ends(self.day);
        Residual {
            practice_id: self.practice_id,
            appointment_id: String::new(),
            rule_id: self.rule_id,
            day: self.day,
            kind: ResidualKind::Unbalanced,
            reason: super::reason_of(reason),
            starts_at: over,
            due_at: over,
            closes_at: over,
            provider_ref: None,
            plan_version: 0,
            reason_code: reason.to_owned(),
        }
    }

    /// What the counts lack.
    fn deltas(&self) -> impl Iterator<Item = TallyDelta> {
        let Self { practice_id, day, rule_id, too_many } = self;
        too_many.iter().map(|&(fate, n)| TallyDelta {
            practice_id: *practice_id,
            local_day: *day,
            rule_id: *rule_id,
            fate,
            n: i32::try_from(-n).unwrap_or(0), // no day has so many
        })
    }
}

/// When a day is over, in UTC: by its urgency among what is out of order.
fn ends(day: Date) -> Timestamp {
    let next = day.saturating_add(1.day()).to_zoned(TimeZone::UTC);
    next.map_or(Timestamp::MAX, |next| next.timestamp())
}

/// Puts counts right of which a look found that they differ. By how much is asked once more, in the
/// transaction that mends: whatever is going on changes promises and counts by the same, so the
/// difference stays, and nobody else puts them right meanwhile.
pub(super) async fn mend(
    db: &Db,
    shard: i16,
    (found, since): (&[&Residual], Date),
) -> Result<(), DbError> {
    let key = |r: &Residual| (r.practice_id, r.day, r.rule_id);
    let wanted: BTreeSet<(i64, Date, i16)> = found.iter().map(|residual| key(residual)).collect();
    let practices: BTreeSet<i64> = found.iter().map(|residual| residual.practice_id).collect();
    let practices: Vec<i64> = practices.into_iter().collect();
    let mut conn = db.get(Pool::Upkeep).await?;
    let tx = conn.begin();
    if !is_alone(&tx, shard).await? {
        return tx.rollback().await; // a later look finds them again
    }
    let params: Params<'_> = &[&shard, &practices, &since, &NAMED_MAX];
    let rows = tx.rows(Query::ReconcileCounts, params).await?;
    let differing: Vec<Differing> = rows.iter().map(Differing::of).collect();
    let wanted = differing.iter().filter(|d| wanted.contains(&(d.practice_id, d.day, d.rule_id)));
    let deltas: Vec<TallyDelta> = wanted.flat_map(Differing::deltas).collect();
    tally::append(&tx, shard, &deltas).await?;
    tx.commit().await
}

/// Becomes the only one who may put a shard's counts right, until the transaction ends.
async fn is_alone(tx: &Tx<'_>, shard: i16) -> Result<bool, DbError> {
    for _ in 0..TRIES {
        if maintainer::lock(tx, shard, Stage::Reconcile).await? {
            return Ok(true);
        }
        sleep(PAUSE).await;
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differing(too_many: &[(Fate, i64)]) -> Differing {
        let day = Date::constant(2026, 5, 5);
        Differing { practice_id: 1, day, rule_id: 2, too_many: too_many.to_vec() }
    }

    #[test]
    fn what_is_left_over_is_told_from_what_is_counted_under_another_fate() {
        for (too_many, left_over, reason) in [
            (&[(Fate::Expected, 2)][..], 2, NO_SUM),
            (&[(Fate::Sent, 1)], -1, NO_SUM),
            (&[(Fate::Sent, 1), (Fate::Failed, -1)], 0, OTHER_FATE),
            (&[(Fate::Expected, 1), (Fate::Sent, 1)], 0, OTHER_FATE),
        ] {
            let differing = differing(too_many);
            let residual = differing.residual();
            assert_eq!((differing.left_over(), residual.reason_code.as_str()), (left_over, reason));
            assert_eq!(residual.closes_at, "2026-05-06T00:00:00Z".parse().unwrap());
        }
    }

    #[test]
    fn what_mends_is_the_opposite_of_what_is_too_many() {
        let deltas: Vec<TallyDelta> =
            differing(&[(Fate::Sent, 3), (Fate::Failed, -1)]).deltas().collect();
        let said: Vec<(Fate, i32)> = deltas.iter().map(|delta| (delta.fate, delta.n)).collect();
        assert_eq!(said, [(Fate::Sent, -3), (Fate::Failed, 1)]);
    }
}
