//! `POST /v1/practices/{practice_id}/appointments/{appointment_id}/cancel`

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::read_appointment;
use super::shapes::{is_appointment_id, no_appointment, no_practice};
use super::upsert_appointments::Status;
use crate::app::App;
use crate::db::router::Class;
use crate::http::{Code, Problem, Request, Response};
use crate::ingest::{Change, Outcome, Stopped, VERSION_MAX};

/// Which version the cancellation is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelBody {
    /// The version of the appointment that is cancelled; the known one's successor if not given.
    #[serde(default)]
    version: Option<u64>,
}

/// What the cancellation stopped.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CancelAnswer {
    appointment_id: String,
    /// The version that holds now.
    version: i64,
    status: Status,
    /// True when every reminder that had not left yet was stopped: nothing leaves any more.
    in_time: bool,
    /// Each reminder that the cancellation met.
    messages: Vec<StoppedAnswer>,
}

/// A reminder that the cancellation met.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StoppedAnswer {
    rule_id: i16,
    /// The text that it had become, if it had.
    message_id: Option<i64>,
    /// When it was due.
    #[schemars(with = "String")]
    due_at: Timestamp,
    /// True: it will not leave. False: it has left or may be leaving.
    in_time: bool,
}

/// Cancels an appointment.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let practice_id = request.path.i64("practice_id")?;
    let appointment_id = request.path.str("appointment_id").to_owned();
    if !is_appointment_id(&appointment_id) {
        return Err(no_appointment());
    }
    let body: CancelBody =
        if request.body.is_empty() { CancelBody::default() } else { request.json()? };
    let version = match body.version.map(i64::try_from) {
        None => None,
        Some(Ok(version)) if version <= VERSION_MAX => Some(version),
        Some(_) => {
            let detail = format!("version: must be at most {VERSION_MAX}");
            return Err(Problem::new(Code::Invalid, detail));
        }
    };
    let practice = app.practices.get(practice_id).await?.ok_or_else(no_practice)?;
    let revision = Arc::clone(&practice.newest);
    let shard = app.practices.shard(practice_id);
    let change = Change::Cancel { appointment_id: appointment_id.clone(), version };
    let mut done = app.ingest.apply(shard, revision, vec![change], request.received_at).await?;
    let done = done.pop().ok_or_else(|| Problem::internal("a cancellation was not answered"))?;
    let stopped = match done.outcome {
        Outcome::Stored => done.stopped,
        // It was cancelled before: the answer is what became of its reminders then.
        Outcome::Unchanged => already(app, shard, practice_id, &appointment_id).await?,
        Outcome::Unknown => return Err(no_appointment()),
        Outcome::Superseded | Outcome::Conflict => {
            let detail = format!("version {} is known: read the appointment again", done.version);
            return Err(Problem::new(Code::Conflict, detail));
        }
    };
    Ok(Response::json(
        200,
        &CancelAnswer {
            appointment_id,
            version: done.version,
            status: Status::Cancelled,
            in_time: stopped.iter().all(|stopped| stopped.in_time),
            messages: stopped.into_iter().map(StoppedAnswer::of).collect(),
        },
    ))
}

impl StoppedAnswer {
    fn of(stopped: Stopped) -> Self {
        let Stopped { rule_id, message_id, due_at, in_time } = stopped;
        Self { rule_id, message_id, due_at, in_time }
    }
}

async fn already(
    app: &App,
    shard: i16,
    practice_id: i64,
    appointment_id: &str,
) -> Result<Vec<Stopped>, Problem> {
    // It has seen what is committed by the change that found it cancelled.
    let mut reader = app.db.reader(Class::Read);
    let read = read_appointment::read(&mut reader, shard, practice_id, appointment_id).await?;
    let reminders = read.map(|appointment| appointment.messages).unwrap_or_default();
    Ok(reminders
        .into_iter()
        .map(|reminder| Stopped {
            rule_id: reminder.rule_id,
            message_id: reminder.message_id,
            due_at: reminder.due_at,
            in_time: reminder.fate.starts_with("suppressed"),
        })
        .collect())
}
