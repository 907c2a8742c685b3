//! `GET /v1/practices/{practice_id}/messages`: a page at a time, by keyset.

use std::sync::Arc;

use contract::Read;
use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::Row;

use super::shapes;
use crate::app::App;
use crate::db::router::Class;
use crate::http::{Code, Problem, Request, Response};
use crate::phone::Phone;

const PAGE: i64 = 100;
const PAGE_MAX: i64 = 500;

/// A page of messages.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MessagesAnswer {
    /// In the order in which they were made.
    messages: Vec<MessageAnswer>,
    /// Pass it as `after` for the next page; null on the last one.
    next_after: Option<i64>,
}

/// A text.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MessageAnswer {
    message_id: i64,
    phone: Option<Phone>,
    /// The practice's date of its due time.
    #[schemars(with = "String")]
    local_day: Date,
    rule_id: i16,
    /// Above 1: appointments that came after the first text of their group had left.
    generation: i16,
    /// `pending`, `sent`, `failed`, `expired`, `ambiguous` or `suppressed_…`.
    fate: &'static str,
    receipt: Option<&'static str>,
    attempts: i16,
    segments: i16,
    #[schemars(with = "String")]
    due_at: Timestamp,
    #[schemars(with = "Option<String>")]
    sent_at: Option<Timestamp>,
    #[schemars(with = "Option<String>")]
    receipt_at: Option<Timestamp>,
    reply: Option<&'static str>,
    #[schemars(with = "Option<String>")]
    replied_at: Option<Timestamp>,
    /// The provider's reason, where it has one.
    error_code: Option<i32>,
    /// The appointments that it tells of.
    appointment_ids: Vec<String>,
    body: String,
}

/// Lists messages.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let practice_id = request.path.i64("practice_id")?;
    let after: i64 = request.query_as("after", "a message_id")?.unwrap_or(0);
    let limit: i64 = request.query_as("limit", "a number from 1 to 500")?.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Problem::new(Code::BadQuery, "limit must be a number from 1 to 500"));
    }
    let day: Option<Date> = request.query_as("day", "a day such as 2026-05-04")?;
    let shard = app.practices.shard(practice_id);
    // One more than asked for tells whether there is a next page.
    let fetch = limit + 1;
    let mut reader = app.db.reader(Class::Read);
    let rows = match day {
        None => reader.rows(Read::MessagePage, &[&shard, &practice_id, &after, &fetch]).await?,
        Some(day) => {
            let params: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
                [&shard, &practice_id, &after, &fetch, &day];
            reader.rows(Read::MessagePageOfDay, &params).await?
        }
    };
    drop(reader);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let messages: Vec<MessageAnswer> = rows.iter().take(limit).map(message).collect();
    let next_after =
        if rows.len() > limit { messages.last().map(|message| message.message_id) } else { None };
    Ok(Response::json(200, &MessagesAnswer { messages, next_after }))
}

fn message(row: &Row) -> MessageAnswer {
    let released = b'r'.cast_signed();
    MessageAnswer {
        message_id: row.get("message_id"),
        phone: Phone::from_i64(row.get("phone")),
        local_day: row.get("local_day"),
        rule_id: row.get("rule_id"),
        generation: row.get("generation"),
        fate: shapes::fate(released, None, row.get("state"), row.get("reason")),
        receipt: shapes::receipt(row.get("receipt")),
        attempts: row.get("attempts"),
        segments: row.get("segments"),
        due_at: row.get("due_at"),
        sent_at: row.get("sent_at"),
        receipt_at: row.get("receipt_at"),
        reply: row.get::<_, Option<i8>>("reply").map(shapes::reply),
        replied_at: row.get("replied_at"),
        error_code: row.get("error_code"),
        appointment_ids: row.get("appointment_ids"),
        body: row.get("body"),
    }
}
