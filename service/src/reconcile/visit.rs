//! A look at practices: one statement for a few of them, on a replica where there is one, so that
//! what it compares is of one instant; what it finds is noted before the next few.

use contract::{Pool, Read, Stage};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use tokio_postgres::types::ToSql;

use super::{ENDED_AFTER, NAMED_MAX, Residual, ledger};
use crate::clock::Clock;
use crate::db::router::Class;
use crate::db::{Db, DbError};

/// Practices in one look: each has some hundred promises, and a look takes 11 to 25 µs for each.
const PRACTICES_MAX: i64 = 20;

/// The practices whose turn it is: those of `count` slots from `first` on, of so many in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) slots: i32,
    pub(crate) first: i32,
    pub(crate) count: i32,
}

impl Turn {
    /// All of them.
    pub(crate) const ALL: Self = Self { slots: 1, first: 0, count: 1 };
}

/// What was seen of some practices.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// Which.
    pub(crate) practices: Vec<i64>,
    /// Promises compared.
    pub(crate) promises: u64,
    /// Those out of order, also where they aren't named.
    pub(crate) violations: u64,
    /// Those out of order by name, at most [`NAMED_MAX`], the most urgent first.
    pub(crate) named: Vec<Residual>,
}

/// Looks at the practices of a shard whose turn it is, a few at a time, notes what is found, and
/// hands it to `each`.
pub(crate) async fn look(
    db: &Db,
    clock: &Clock,
    shard: i16,
    turn: Turn,
    mut each: impl FnMut(Seen),
) -> Result<(), DbError> {
    let mut after = 0;
    loop {
        let page = practices(db, shard, turn, after).await?;
        let Some(&last) = page.last() else { return Ok(()) };
        // No connection to the primary is held while a replica compares.
        let seen = visit(db, shard, page, clock.domain_now()).await?;
        let mut conn = db.get_for(Stage::Reconcile, Pool::Upkeep).await?;
        ledger::record(&mut conn, shard, &seen, clock.real_now()).await?;
        drop(conn);
        each(seen);
        after = last;
    }
}

/// A page of the practices whose turn it is, after one of them; 0 is before all.
async fn practices(db: &Db, shard: i16, turn: Turn, after: i64) -> Result<Vec<i64>, DbError> {
    let Turn { slots, first, count } = turn;
    let params: [&(dyn ToSql + Sync); 6] = [&shard, &slots, &first, &count, &after, &PRACTICES_MAX];
    let rows = db.reader(Class::Report).rows(Read::ReconcilePractices, &params).await?;
    Ok(rows.iter().map(|row| row.get("practice_id")).collect())
}

/// Looks at practices of a shard.
async fn visit(
    db: &Db,
    shard: i16,
    practices: Vec<i64>,
    domain_now: Timestamp,
) -> Result<Seen, DbError> {
    let (since, ended) = (first_day(domain_now), domain_now - ENDED_AFTER);
    let params: [&(dyn ToSql + Sync); 5] = [&shard, &practices, &since, &ended, &NAMED_MAX];
    let rows = db.reader(Class::Report).rows(Read::ReconcilePromises, &params).await?;
    let Some(totals) = rows.first() else { return Ok(Seen::default()) };
    let total = |name| u64::try_from(totals.get::<_, i64>(name)).unwrap_or(0);
    Ok(Seen {
        promises: total("cases"),
        violations: total("violations"),
        named: rows.iter().filter_map(Residual::of_row).collect(),
        practices,
    })
}

/// Promises of earlier days have ended: the day before yesterday in UTC is over everywhere, and its
/// night, in which a practice's day may end.
fn first_day(domain_now: Timestamp) -> Date {
    let today = domain_now.to_zoned(TimeZone::UTC).date();
    today.saturating_sub(2.days())
}
