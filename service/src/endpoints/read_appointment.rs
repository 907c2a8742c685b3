//! `GET /v1/practices/{practice_id}/appointments/{appointment_id}`

use std::sync::Arc;

use contract::Read;
use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::Row;

use super::shapes::{self, is_appointment_id, no_appointment};
use super::upsert_appointments::Status;
use crate::app::App;
use crate::db::router::{Class, Reader};
use crate::db::{DbError, weeks};
use crate::http::{Problem, Request, Response};
use crate::phone::Phone;

/// An appointment with its reminders.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AppointmentAnswer {
    appointment_id: String,
    version: i64,
    status: Status,
    #[schemars(with = "String")]
    starts_at: Timestamp,
    phone: Option<Phone>,
    patient_name: String,
    instructions: String,
    /// Its reminders, in the order in which they are due.
    pub(super) messages: Vec<ReminderAnswer>,
}

/// A reminder and what became of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ReminderAnswer {
    pub(super) rule_id: i16,
    #[schemars(with = "String")]
    pub(super) due_at: Timestamp,
    /// `pending`, `sent`, `failed`, `expired`, `ambiguous` or `suppressed_…`.
    pub(super) fate: &'static str,
    /// The text that it became; several appointments of a phone may share one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message_id: Option<i64>,
    /// When the provider accepted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    sent_at: Option<Timestamp>,
    /// How far it got: `delivered`, `undelivered` or `read`.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    receipt_at: Option<Timestamp>,
    /// What the patient answered: `yes`, `no`, `stop` or `text`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    replied_at: Option<Timestamp>,
}

/// Reads an appointment.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let practice_id = request.path.i64("practice_id")?;
    let appointment_id = request.path.str("appointment_id");
    if !is_appointment_id(appointment_id) {
        return Err(no_appointment());
    }
    let shard = app.practices.shard(practice_id);
    let mut reader = app.db.reader(Class::Read);
    let answer = read(&mut reader, shard, practice_id, appointment_id).await?;
    Ok(Response::json(200, &answer.ok_or_else(no_appointment)?))
}

/// An appointment as it is stored, if it is.
pub(super) async fn read(
    reader: &mut Reader,
    shard: i16,
    practice_id: i64,
    appointment_id: &str,
) -> Result<Option<AppointmentAnswer>, DbError> {
    let found =
        reader.row_opt(Read::AppointmentRead, &[&shard, &practice_id, &appointment_id]).await?;
    let Some(row) = found else { return Ok(None) };
    let days: Vec<Date> = row.get("intent_days");
    let rows = match weeks::span(&days) {
        None => Vec::new(),
        Some((first, last)) => {
            reader
                .rows(
                    Read::AppointmentMessages,
                    &[&shard, &practice_id, &appointment_id, &first, &last],
                )
                .await?
        }
    };
    let status: i8 = row.get("status");
    Ok(Some(AppointmentAnswer {
        appointment_id: appointment_id.to_owned(),
        version: row.get("version"),
        status: if status == b'c'.cast_signed() { Status::Cancelled } else { Status::Booked },
        starts_at: row.get("starts_at"),
        phone: Phone::from_i64(row.get("phone")),
        patient_name: row.get("patient_name"),
        instructions: row.get("instructions"),
        messages: rows.iter().map(reminder).collect(),
    }))
}

fn reminder(row: &Row) -> ReminderAnswer {
    ReminderAnswer {
        rule_id: row.get("rule_id"),
        due_at: row.get("due_at"),
        fate: shapes::fate(
            row.get("intent_state"),
            row.get("intent_reason"),
            row.get("message_state"),
            row.get("message_reason"),
        ),
        message_id: row.get("message_id"),
        sent_at: row.get("sent_at"),
        receipt: row.get::<_, Option<i16>>("receipt").and_then(shapes::receipt),
        receipt_at: row.get("receipt_at"),
        reply: row.get::<_, Option<i8>>("reply").map(shapes::reply),
        replied_at: row.get("replied_at"),
    }
}
