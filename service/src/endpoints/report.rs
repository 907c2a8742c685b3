//! What reports have in common: up to when their data is complete, which days they are of, and how
//! they are answered.
//!
//! A report is read in the class of reports, so from a replica where there is one, and says in
//! `as_of` (as CSV: in the header `x-as-of`, which JSON has as well) up to when it is complete. One
//! whose size has a bound is answered whole; one that has none is sent a page at a time (`pages`).
//!
//! Never here: what one report alone says.

pub(crate) mod counts;
mod pages;
mod sheet;

use contract::Read;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::clock::Clock;
use crate::db::router::Reader;
use crate::db::{DbError, weeks};
use crate::http::{Code, Format, Problem, Request, Response};
pub(crate) use pages::{Page, Pages, stream};
pub(crate) use sheet::{Line, Row, Sheet};

/// The header that says up to when a report is complete.
pub(crate) const AS_OF: &str = "x-as-of";

/// Up to when what a reader reads next is complete.
pub(crate) async fn as_of(reader: &mut Reader) -> Result<Timestamp, DbError> {
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
    as_of: Timestamp,
    document: &impl Serialize,
    rows: &[R],
) -> Response {
    let answer = match format {
        Format::Json => Response::json(200, document),
        Format::Csv => Response::of(200, format.content_type(), Sheet::begin(format, &(), rows).1),
    };
    answer.with_header(AS_OF, &as_of.to_string())
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
        request.only_queries(&["from", "until"])?;
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
