//! `GET /v1/practices/{practice_id}/reports/delivery`

use std::sync::Arc;

use contract::Read;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::report::{self, Days, Line, Standing};
use crate::app::App;
use crate::db::router::Class;
use crate::http::{Format, Problem, Request, Response};

/// Days without a wish, and at most: a month's texts of a practice are some thousands.
const DAYS: u16 = 7;
const DAYS_MAX: u16 = 31;

/// How a practice's texts of some local days were handed over. Counts are texts, not reminders.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DeliveryAnswer {
    #[schemars(with = "String")]
    from: Date,
    #[schemars(with = "String")]
    until: Date,
    #[serde(flatten)]
    standing: Standing,
    hours: Vec<OfHour>,
}

/// The texts of one rule that were due in one hour of the local day.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeliveryHour")]
pub(crate) struct OfHour {
    rule_id: i16,
    /// From 0 to 23.
    hour: i16,
    texts: i64,
    sent: i64,
    delivered: i64,
    undelivered: i64,
    replied: i64,
    failed: i64,
    expired: i64,
    suppressed: i64,
    ambiguous: i64,
    pending: i64,
    /// Handed over minus due; null where none was handed over.
    late_seconds: Late,
}

/// Percentiles, each a lateness that occurred.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "LateSeconds")]
pub(crate) struct Late {
    p50: Option<f64>,
    p90: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
}

impl report::Row for OfHour {
    const COLUMNS: &'static [&'static str] = &[
        "rule_id",
        "hour",
        "texts",
        "sent",
        "delivered",
        "undelivered",
        "replied",
        "failed",
        "expired",
        "suppressed",
        "ambiguous",
        "pending",
        "late_p50_seconds",
        "late_p90_seconds",
        "late_p99_seconds",
        "late_max_seconds",
    ];

    fn write(&self, line: &mut Line) {
        line.number(self.rule_id)
            .number(self.hour)
            .number(self.texts)
            .number(self.sent)
            .number(self.delivered)
            .number(self.undelivered)
            .number(self.replied)
            .number(self.failed)
            .number(self.expired)
            .number(self.suppressed)
            .number(self.ambiguous)
            .number(self.pending)
            .seconds(self.late_seconds.p50)
            .seconds(self.late_seconds.p90)
            .seconds(self.late_seconds.p99)
            .seconds(self.late_seconds.max);
    }
}

/// Reports on some days.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let practice_id = request.path.i64("practice_id")?;
    let Days { from, until } = Days::of(&request, &app.clock, DAYS, DAYS_MAX)?;
    let format = Format::of(&request.headers)?;
    let shard = app.practices.shard(practice_id);
    // As domain time goes now: texts from before it was set otherwise are off by that.
    let pace = app.clock.pace();
    let mut reader = app.db.reader(Class::Report);
    let standing = report::standing_of(&mut reader, shard, practice_id).await?;
    let params: [&(dyn ToSql + Sync); 7] =
        [&shard, &practice_id, &from, &until, &pace.real_origin, &pace.domain_origin, &pace.speed];
    let rows = reader.rows(Read::DeliveryByHour, &params).await?;
    drop(reader);
    let answer =
        DeliveryAnswer { from, until, standing, hours: rows.iter().map(of_hour).collect() };
    Ok(report::whole(format, standing, &answer, &answer.hours))
}

fn of_hour(row: &Row) -> OfHour {
    let late: Option<Vec<Option<f64>>> = row.get("late_seconds");
    let percentile = |at: usize| late.as_ref().and_then(|late| late.get(at).copied().flatten());
    OfHour {
        rule_id: row.get("rule_id"),
        hour: row.get("hour"),
        texts: row.get("texts"),
        sent: row.get("sent"),
        delivered: row.get("delivered"),
        undelivered: row.get("undelivered"),
        replied: row.get("replied"),
        failed: row.get("failed"),
        expired: row.get("expired"),
        suppressed: row.get("suppressed"),
        ambiguous: row.get("ambiguous"),
        pending: row.get("pending"),
        late_seconds: Late {
            p50: percentile(0),
            p90: percentile(1),
            p99: percentile(2),
            max: row.get("late_max_seconds"),
        },
    }
}
