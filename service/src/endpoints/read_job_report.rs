//! `GET /v1/practices/{practice_id}/days/{day}/report`: who was told, and who answered what.

use std::sync::Arc;

use contract::Read;
use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::Row;

use super::report::{self, Line, Page, Pages, Standing};
use super::shapes;
use crate::app::App;
use crate::db::DbError;
use crate::db::router::Reader;
use crate::http::{Problem, Request, Response};
use crate::phone::Phone;

/// Texts on a page.
const PAGE: i64 = 500;

/// What stands before the rows.
#[derive(Debug, Serialize, JsonSchema)]
struct Head {
    #[schemars(with = "String")]
    day: Date,
    #[serde(flatten)]
    standing: Standing,
}

/// What a practice's texts of one local day told whom. Reminders that were stopped before they
/// became a text are in the counts of the day.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of use: rows are written page by page")]
#[schemars(rename = "JobReport")]
pub(crate) struct JobReportAnswer {
    #[schemars(flatten)]
    head: Head,
    /// By text in the order in which they were made, and by appointment in it.
    rows: Vec<Told>,
}

/// What became of one appointment's reminder in a text.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "JobReportRow")]
pub(crate) struct Told {
    appointment_id: String,
    #[schemars(with = "String")]
    starts_at: Timestamp,
    rule_id: i16,
    /// Appointments of one phone may share a text.
    message_id: i64,
    /// The first three and the last two digits.
    phone: Option<String>,
    #[schemars(with = "String")]
    due_at: Timestamp,
    /// `pending`, `sent`, `failed`, `expired`, `ambiguous` or `suppressed_…`.
    fate: &'static str,
    /// When the provider accepted it.
    #[schemars(with = "Option<String>")]
    sent_at: Option<Timestamp>,
    /// How far it got: `delivered`, `undelivered` or `read`.
    receipt: Option<&'static str>,
    #[schemars(with = "Option<String>")]
    receipt_at: Option<Timestamp>,
    /// What the patient answered last: `yes`, `no`, `stop` or `text`.
    reply: Option<&'static str>,
    #[schemars(with = "Option<String>")]
    replied_at: Option<Timestamp>,
    /// The provider's reason, where it has one.
    error_code: Option<i32>,
}

impl report::Row for Told {
    const COLUMNS: &'static [&'static str] = &[
        "appointment_id",
        "starts_at",
        "rule_id",
        "message_id",
        "phone",
        "due_at",
        "fate",
        "sent_at",
        "receipt",
        "receipt_at",
        "reply",
        "replied_at",
        "error_code",
    ];

    fn write(&self, line: &mut Line) {
        line.text(&self.appointment_id)
            .time(Some(self.starts_at))
            .number(self.rule_id)
            .number(self.message_id)
            .maybe_text(self.phone.as_deref())
            .time(Some(self.due_at))
            .text(self.fate)
            .time(self.sent_at)
            .maybe_text(self.receipt)
            .time(self.receipt_at)
            .maybe_text(self.reply)
            .time(self.replied_at)
            .maybe_number(self.error_code);
    }
}

/// The texts of one day.
struct OfDay {
    shard: i16,
    practice_id: i64,
    day: Date,
}

/// Begins the report.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let practice_id = request.path.i64("practice_id")?;
    let day = request.path.date("day")?;
    let pages = OfDay { shard: app.practices.shard(practice_id), practice_id, day };
    report::stream(app, &request, pages, |standing| Head { day, standing }).await
}

impl Pages for OfDay {
    type Row = Told;

    fn of(&self) -> (i16, i64) {
        (self.shard, self.practice_id)
    }

    async fn page(&self, reader: &mut Reader, after: i64) -> Result<Page<Told>, DbError> {
        let Self { shard, practice_id, day } = self;
        let texts =
            reader.rows(Read::JobReportPage, &[shard, practice_id, day, &after, &PAGE]).await?;
        let is_full = i64::try_from(texts.len()).is_ok_and(|n| n == PAGE);
        let next_after = texts.last().filter(|_| is_full).map(|text| text.get("message_id"));
        Ok(Page { rows: texts.iter().flat_map(told).collect(), next_after })
    }
}

fn told(text: &Row) -> impl Iterator<Item = Told> {
    let appointments: Vec<String> = text.get("appointment_ids");
    let starts: Vec<Timestamp> = text.get("starts_at");
    let released = b'r'.cast_signed();
    appointments.into_iter().zip(starts).map(move |(appointment_id, starts_at)| Told {
        appointment_id,
        starts_at,
        rule_id: text.get("rule_id"),
        message_id: text.get("message_id"),
        phone: Phone::from_i64(text.get("phone")).map(|phone| phone.to_string()),
        due_at: text.get("due_at"),
        fate: shapes::fate(released, None, text.get("state"), text.get("reason")),
        sent_at: text.get("sent_at"),
        receipt: shapes::receipt(text.get("receipt")),
        receipt_at: text.get("receipt_at"),
        reply: text.get::<_, Option<i8>>("reply").map(shapes::reply),
        replied_at: text.get("replied_at"),
        error_code: text.get("error_code"),
    })
}
