//! A look at practices: one statement for the promises of a few of them and one for their counts,
//! on a replica where there is one, so that what each compares is of one instant; what they find is
//! noted before the next few.

use std::collections::HashSet;

use contract::{Pool, Read, Stage};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use tokio_postgres::types::ToSql;

use super::ledger::{self, Name};
use super::{ENDED_AFTER, NAMED_MAX, Residual, balance, code_of};
use crate::clock::Clock;
use crate::db::router::{Class, Reader};
use crate::db::{Db, DbError};

/// Practices in one look: each has some hundred promises, and a look takes 11 to 25 µs for each.
const PRACTICES_MAX: i64 = 20;
/// When a look was that can't say it: it neither closes nor opens anything again.
const NEVER: Timestamp = Timestamp::UNIX_EPOCH;

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
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Days were looked at from this one on.
    pub(crate) since: Date,
    /// They were seen as they stood then: a replica may be a little behind.
    pub(crate) as_of: Timestamp,
    /// Which.
    pub(crate) practices: Vec<i64>,
    /// Promises compared.
    pub(crate) promises: u64,
    /// Those out of order and the counts that don't balance, also where they aren't named.
    pub(crate) violations: u64,
    /// Both by name, at most [`NAMED_MAX`] of each, the most urgent first.
    pub(crate) named: Vec<Residual>,
}

/// A practice that can't be compared: the server can't compute with what is stored of it, such as
/// a time zone that its tz data has lost.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) practice_id: i64,
    /// In the server's words.
    pub(crate) why: DbError,
    /// It was seen as it stood then, or later.
    pub(crate) as_of: Timestamp,
}

impl Seen {
    /// Leaves out those of these names.
    pub(super) fn forget(&mut self, told: &HashSet<Name>) {
        let before = self.named.len();
        self.named.retain(|r| {
            let (id, kind) = (r.appointment_id.clone(), code_of(r.kind).to_owned());
            !told.contains(&(r.practice_id, id, r.rule_id, r.day, r.plan_version, kind))
        });
        self.violations -= (before - self.named.len()) as u64;
    }
}

/// Looks at the practices of a shard whose turn it is, a few at a time, notes what is found, and
/// hands it to `each`. What was noted before `has_seen` is seen for certain, as the task carries a
/// token of then. One that can't be compared keeps nobody from looking at the others.
pub(crate) async fn look(
    db: &Db,
    clock: &Clock,
    (shard, turn): (i16, Turn),
    has_seen: Option<Timestamp>,
    mut each: impl FnMut(Result<Seen, Refused>),
) -> Result<(), DbError> {
    let mut after = 0;
    loop {
        let page = practices(db, shard, turn, after).await?;
        let Some(&last) = page.last() else { return Ok(()) };
        // No connection to the primary is held while a replica compares.
        for looked in visits(db, shard, page, clock.domain_now()).await? {
            let mut seen = match looked {
                Ok(seen) => seen,
                Err(refused) => {
                    let as_of = has_seen.map_or(refused.as_of, |at| refused.as_of.max(at));
                    let of_practice = (refused.practice_id, clock.domain_now());
                    let times = (clock.real_now(), as_of);
                    let mut conn = db.get_for(Stage::Reconcile, Pool::Upkeep).await?;
                    ledger::uncompared(&mut conn, shard, of_practice, times).await?;
                    drop(conn);
                    each(Err(refused));
                    continue;
                }
            };
            seen.as_of = has_seen.map_or(seen.as_of, |at| seen.as_of.max(at));
            let mut conn = db.get_for(Stage::Reconcile, Pool::Upkeep).await?;
            ledger::record(&mut conn, shard, &mut seen, clock.real_now()).await?;
            drop(conn);
            each(Ok(seen));
        }
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

/// Looks at practices of a shard together, or, where one of them can't be compared, at each alone.
async fn visits(
    db: &Db,
    shard: i16,
    practices: Vec<i64>,
    domain_now: Timestamp,
) -> Result<Vec<Result<Seen, Refused>>, DbError> {
    let mut reader = db.reader(Class::Report);
    match visit(&mut reader, shard, practices.clone(), domain_now).await {
        Err(error) if error.is_of_the_data() => {}
        together => return Ok(vec![Ok(together?)]),
    }
    let mut looked = Vec::with_capacity(practices.len());
    for practice_id in practices {
        let as_of = as_of(&mut reader).await?;
        looked.push(match visit(&mut reader, shard, vec![practice_id], domain_now).await {
            Err(why) if why.is_of_the_data() => Err(Refused { practice_id, why, as_of }),
            alone => Ok(alone?),
        });
    }
    Ok(looked)
}

/// Up to when the reader's server has everything: what it says next is as of then, or later.
async fn as_of(reader: &mut Reader) -> Result<Timestamp, DbError> {
    let row = reader.row_opt(Read::ReportAsOf, &[]).await?;
    Ok(row.and_then(|row| row.get("as_of")).unwrap_or(NEVER))
}

/// Looks at practices of a shard.
async fn visit(
    reader: &mut Reader,
    shard: i16,
    practices: Vec<i64>,
    domain_now: Timestamp,
) -> Result<Seen, DbError> {
    let (since, ended) = (first_day(domain_now), domain_now - ENDED_AFTER);
    let params: [&(dyn ToSql + Sync); 5] = [&shard, &practices, &since, &ended, &NAMED_MAX];
    let rows = reader.rows(Read::ReconcilePromises, &params).await?;
    let counts = balance::look(reader, (shard, &practices, since)).await?;
    let totals = rows.first();
    let total = |name| totals.map_or(0, |row| u64::try_from(row.get::<_, i64>(name)).unwrap_or(0));
    let promises = rows.iter().filter_map(Residual::of_row);
    let as_of = totals.and_then(|row| row.get("as_of")).unwrap_or(NEVER);
    Ok(Seen {
        since,
        as_of,
        promises: total("cases"),
        violations: total("violations") + counts.violations,
        named: promises.chain(counts.named).collect(),
        practices,
    })
}

/// Promises of earlier days have ended: the day before yesterday in UTC is over everywhere, and its
/// night, in which a practice's day may end.
pub(super) fn first_day(domain_now: Timestamp) -> Date {
    let today = domain_now.to_zoned(TimeZone::UTC).date();
    today.saturating_sub(2.days())
}
