//! What reports have in common: up to when their data is complete, what reconciliation holds
//! against it, which days they are of, and how they are answered.
//!
//! A report is read in the class of reports, so from a replica where there is one, and says in
//! `as_of` up to when it is complete and in `residuals` how many promises are out of order (as CSV:
//! in the last two columns; both have the headers `x-as-of` and `x-residuals`). One whose size has
//! a bound is answered whole; one that has none is sent a page at a time (`pages`).
//!
//! Never here: what one report alone says.

pub(crate) mod counts;
mod pages;
mod sheet;

use std::fmt;
use std::ops::Range;

use contract::{Read, ResidualKind};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Serialize;

use crate::clock::Clock;
use crate::db::router::Reader;
use crate::db::{DbError, weeks};
use crate::http::{Code, Format, Problem, Request, Response};
use crate::reconcile;
pub(crate) use pages::{Page, Pages, stream};
pub(crate) use sheet::{Line, Row, Sheet};

/// The header that says up to when a report is complete.
pub(crate) const AS_OF: &str = "x-as-of";

/// The header that says how many promises are out of order.
pub(crate) const RESIDUALS: &str = "x-residuals";

/// What every report says of its data.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub(crate) struct Standing {
    /// It is complete up to then.
    #[schemars(with = "String")]
    as_of: Timestamp,
    residuals: Residuals,
}

/// How many promises reconciliation found out of order, how many counts of a day and rule that
/// don't balance, and how many practices that can't be compared, of all days, that are neither
/// mended nor told as too late by a repair. Not all zero means that the counts beside it can't be
/// trusted.
#[derive(Debug, Clone, Copy, Default, Serialize, JsonSchema)]
pub(crate) struct Residuals {
    /// Promised and not planned, or not on the provider's list.
    missing: i64,
    /// Planned and not promised, or known to the provider alone.
    surplus: i64,
    /// Its appointment has begun, and it still waits.
    unfinished: i64,
    /// Days and rules of a practice whose counts don't balance.
    unbalanced: i64,
    /// Practices of which nobody can say: the server can't compute with what is stored of them.
    uncompared: i64,
}

impl fmt::Display for Residuals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { missing, surplus, unfinished, unbalanced, uncompared } = self;
        write!(f, "missing={missing}, surplus={surplus}, unfinished={unfinished}, ")?;
        write!(f, "unbalanced={unbalanced}, uncompared={uncompared}")
    }
}

impl Residuals {
    /// How many, whatever they are.
    const fn all(&self) -> i64 {
        let Self { missing, surplus, unfinished, unbalanced, uncompared } = self;
        *missing + *surplus + *unfinished + *unbalanced + *uncompared
    }
}

impl Standing {
    /// What CSV calls it.
    const COLUMNS: [&'static str; 2] = ["as_of", "residuals"];

    /// Says it in a row.
    fn write(self, line: &mut Line) {
        line.time(Some(self.as_of)).number(self.residuals.all());
    }

    /// Says it in headers as well.
    fn told(self, answer: Response) -> Response {
        answer
            .with_header(AS_OF, &self.as_of.to_string())
            .with_header(RESIDUALS, &self.residuals.to_string())
    }
}

/// What is to be said of what a reader reads next, of one practice or of all.
pub(crate) async fn standing(
    reader: &mut Reader,
    shards: Range<i16>,
    practice_id: Option<i64>,
) -> Result<Standing, DbError> {
    let as_of = as_of(reader).await?;
    let mut residuals = Residuals::default();
    for shard in shards {
        for row in reader.rows(Read::ResidualOpen, &[&shard, &practice_id]).await? {
            let n: i64 = row.get("n");
            match reconcile::kind_of(row.get("kind")) {
                Some(ResidualKind::Missing) => residuals.missing += n,
                Some(ResidualKind::Surplus) => residuals.surplus += n,
                Some(ResidualKind::Unfinished) => residuals.unfinished += n,
                Some(ResidualKind::Unbalanced) => residuals.unbalanced += n,
                Some(ResidualKind::Uncompared) => residuals.uncompared += n,
                None => {}
            }
        }
    }
    Ok(Standing { as_of, residuals })
}

/// The same of one practice.
pub(crate) async fn standing_of(
    reader: &mut Reader,
    shard: i16,
    practice_id: i64,
) -> Result<Standing, DbError> {
    standing(reader, shard..shard + 1, Some(practice_id)).await
}

/// Up to when what a reader reads next is complete.
async fn as_of(reader: &mut Reader) -> Result<Timestamp, DbError> {
    let row = reader.row_opt(Read::ReportAsOf, &[]).await?;
    let missing = || DbError::Refused {
        query: Read::ReportAsOf.query().name(),
        code: "client".into(),
        message: "a replica has no heartbeat".into(),
    };
    row.and_then(|row| row.get(0)).ok_or_else(missing)
}

/// An answer that is complete: as JSON the document, as CSV its rows.
pub(crate) fn whole<R: Row>(
    format: Format,
    standing: Standing,
    document: &impl Serialize,
    rows: &[R],
) -> Response {
    let answer = match format {
        Format::Json => Response::json(200, document),
        Format::Csv => {
            let (sheet, begun) = Sheet::begin(format, standing, &(), rows);
            let table = [&begun, &*sheet.end()].concat();
            Response::of(200, format.content_type(), table)
        }
    };
    standing.told(answer)
}

/// The days of a report, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Days {
    /// The first one.
    pub(crate) from: Date,
    /// The last one.
    pub(crate) until: Date,
}

impl Days {
    /// Those that a request asks for by `from` and `until`: without `until` up to today (in UTC),
    /// without `from` as many as `usual` before its end.
    ///
    /// # Errors
    /// No days, or more than `most`.
    pub(crate) fn of(
        request: &Request,
        clock: &Clock,
        usual: u16,
        most: u16,
    ) -> Result<Self, Problem> {
        let day = "a day such as 2026-05-04";
        let until = request
            .query_as("until", day)?
            .unwrap_or_else(|| clock.domain_now().to_zoned(TimeZone::UTC).date());
        let from = request
            .query_as("from", day)?
            .unwrap_or_else(|| weeks::days_after(until, 1 - i64::from(usual)));
        let days = Self { from, until };
        if (1..=i64::from(most)).contains(&days.count()) {
            return Ok(days);
        }
        let detail = format!("from and until must name 1 to {most} days, from not after until");
        Err(Problem::new(Code::BadQuery, detail))
    }

    fn count(self) -> i64 {
        self.until.duration_since(self.from).as_hours() / 24 + 1
    }
}
