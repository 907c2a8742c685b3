//! `POST /v1/practices/{practice_id}/appointments`: one object, an array, or a line each.

use std::collections::HashMap;
use std::sync::Arc;

use contract::Limit;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::shapes::{is_appointment_id, is_plain_text, is_sane_start, no_practice};
use crate::app::App;
use crate::http::{Code, Problem, Request, Response, json};
use crate::ingest::{Appointment, Change, Done, Outcome, VERSION_MAX};
use crate::obs;
use crate::phone::Phone;

/// An appointment as a client states it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppointmentBody {
    /// The client's own name for it: 1 to 64 letters, digits and `. _ : -`.
    appointment_id: String,
    /// Higher is newer; a lower one than is known changes nothing.
    version: u64,
    /// When it begins, with its offset.
    #[serde(deserialize_with = "json::instant")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    starts_at: Timestamp,
    /// Whom to remind.
    phone: Phone,
    /// As texts address the patient; at most 80 characters.
    #[serde(default)]
    patient_name: String,
    /// What to bring or to mind; at most 300 characters.
    #[serde(default)]
    instructions: String,
    /// Whether it will take place.
    #[serde(default)]
    status: Status,
}

/// Whether an appointment will take place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// It will.
    #[default]
    Booked,
    /// It won't.
    Cancelled,
}

/// What became of the appointments, in their order.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct UpsertAnswer {
    results: Vec<ItemAnswer>,
}

/// What became of one.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ItemAnswer {
    /// Which one; absent if it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    appointment_id: Option<String>,
    /// The version that holds now.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    /// In short.
    outcome: ItemOutcome,
    /// Reminders that are planned for it now; absent if nothing was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    planned: Option<usize>,
    /// Why it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ItemError>,
}

/// What became of one, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ItemOutcome {
    /// It is stored and its reminders are planned.
    Stored,
    /// The same version was known.
    Unchanged,
    /// The same version is known and says something else, such as a cancellation that took it: it
    /// stays as it is known; send a higher one.
    Conflict,
    /// A newer version is known.
    Superseded,
    /// It is wrong; the others are not touched by that.
    Rejected,
}

/// Why an item was rejected.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ItemError {
    /// Stable: `bad_json` of a line that is no JSON, else `invalid`.
    code: &'static str,
    /// What is wrong and what to do.
    message: String,
}

/// Takes appointments in.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let practice_id = request.path.i64("practice_id")?;
    let (items, is_single) = split(&request, app.config.limit_usize(Limit::BatchItems))?;
    let practice = app.practices.get(practice_id).await?.ok_or_else(no_practice)?;
    let revision = Arc::clone(&practice.newest);
    let shard = app.practices.shard(practice_id);

    let checked: Vec<Result<Appointment, Rejected>> = items.into_iter().map(checked).collect();
    if is_single && let Some(Err(rejected)) = checked.first() {
        return Err(Problem::new(Code::Invalid, rejected.error.message.clone()));
    }
    let places = newest_of_each(&checked);
    let changes: Vec<Change> = checked
        .iter()
        .zip(&places)
        .filter(|(_, place)| **place == Place::Newest)
        .filter_map(|(item, _)| item.as_ref().ok().cloned().map(Change::Upsert))
        .collect();
    let done = app.ingest.apply(shard, revision, changes, request.received_at).await?;

    let mut done = done.into_iter();
    let mut results: Vec<ItemAnswer> = Vec::with_capacity(checked.len());
    for (item, place) in checked.into_iter().zip(places) {
        let result = match (item, place) {
            (Err(rejected), _) => rejected.into(),
            (Ok(appointment), Place::Newest) => answer(appointment, done.next()),
            (Ok(_), Place::Again { first, is_same }) => again(&results[first], is_same),
            (Ok(appointment), Place::Older) => ItemAnswer {
                appointment_id: Some(appointment.appointment_id),
                version: None,
                outcome: ItemOutcome::Superseded,
                planned: None,
                error: None,
            },
        };
        results.push(result);
    }
    Ok(Response::json(200, &UpsertAnswer { results }))
}

impl From<Rejected> for ItemAnswer {
    fn from(Rejected { appointment_id, error }: Rejected) -> Self {
        Self {
            appointment_id,
            version: None,
            outcome: ItemOutcome::Rejected,
            planned: None,
            error: Some(error),
        }
    }
}

fn answer(appointment: Appointment, done: Option<Done>) -> ItemAnswer {
    let done = done.expect("every accepted appointment is answered");
    ItemAnswer {
        appointment_id: Some(appointment.appointment_id),
        version: Some(done.version),
        outcome: match done.outcome {
            Outcome::Stored => ItemOutcome::Stored,
            Outcome::Unchanged => ItemOutcome::Unchanged,
            Outcome::Conflict => ItemOutcome::Conflict,
            Outcome::Superseded | Outcome::Unknown => ItemOutcome::Superseded,
        },
        planned: (done.outcome == Outcome::Stored).then_some(done.planned),
        error: None,
    }
}

/// The answer to an item whose version the request has earlier: as if it had come in a request of
/// its own after that.
fn again(first: &ItemAnswer, is_same: bool) -> ItemAnswer {
    let outcome = match first.outcome {
        ItemOutcome::Stored | ItemOutcome::Unchanged if is_same => ItemOutcome::Unchanged,
        ItemOutcome::Stored | ItemOutcome::Unchanged => ItemOutcome::Conflict,
        outcome @ (ItemOutcome::Conflict | ItemOutcome::Superseded | ItemOutcome::Rejected) => {
            outcome
        }
    };
    ItemAnswer { outcome, planned: None, ..first.clone() }
}

/// An item as it was sent, or why its line is none.
type Item = Result<Sent, json::Fault>;

/// An item's text, and how many lines of the body come before it where it has one of its own.
struct Sent {
    text: Box<RawValue>,
    lines_before: usize,
}

/// An item that is wrong, and which it was, as far as that can be read.
struct Rejected {
    appointment_id: Option<String>,
    error: ItemError,
}

/// Takes the body apart: an object, an array, or a line each. Says whether it was one object.
fn split(request: &Request, most: usize) -> Result<(Vec<Item>, bool), Problem> {
    let whole = |text| Ok(Sent { text, lines_before: 0 });
    let is_lines = request.media_type() == "application/x-ndjson";
    let (items, is_single): (Vec<Item>, bool) = if is_lines {
        request.only_plain_utf8()?;
        let lines = request.body.split(|byte| *byte == b'\n').enumerate();
        let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
        (lines.map(|(before, line)| read_line(line, before)).collect(), false)
    } else if request.body.trim_ascii_start().first() == Some(&b'[') {
        (request.json::<Vec<Box<RawValue>>>()?.into_iter().map(whole).collect(), false)
    } else {
        (vec![whole(request.json()?)], true)
    };
    if items.len() > most {
        obs::limit::reached(Limit::BatchItems);
        let detail = format!("Send at most {most} appointments in one request.");
        return Err(Problem::new(Code::TooManyItems, detail));
    }
    Ok((items, is_single))
}

fn read_line(line: &[u8], lines_before: usize) -> Item {
    match json::parse(line) {
        Ok(text) => Ok(Sent { text, lines_before }),
        Err(fault) => Err(fault.after(lines_before)),
    }
}

fn checked(item: Item) -> Result<Appointment, Rejected> {
    let Sent { text, lines_before } = item.map_err(|fault| Rejected {
        appointment_id: None,
        error: ItemError { code: Code::BadJson.name(), message: fault.to_string() },
    })?;
    check(&text, lines_before).map_err(|error| Rejected { appointment_id: id_of(&text), error })
}

/// Which appointment a wrong item speaks of, if it says that alone as it should.
fn id_of(item: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        appointment_id: String,
    }
    let named: Named = json::parse(item.get().as_bytes()).ok()?;
    is_appointment_id(&named.appointment_id).then_some(named.appointment_id)
}

fn check(item: &RawValue, lines_before: usize) -> Result<Appointment, ItemError> {
    let wrong = |message: String| ItemError { code: Code::Invalid.name(), message };
    let body: AppointmentBody = json::parse(item.get().as_bytes())
        .map_err(|fault| wrong(fault.after(lines_before).to_string()))?;
    if !is_appointment_id(&body.appointment_id) {
        let what = "appointment_id: must be 1 to 64 letters, digits and . _ : -";
        return Err(wrong(what.into()));
    }
    let version = i64::try_from(body.version).ok().filter(|v| *v <= VERSION_MAX);
    let Some(version) = version else {
        return Err(wrong(format!("version: must be at most {VERSION_MAX}")));
    };
    if !is_sane_start(body.starts_at) {
        return Err(wrong("starts_at: must lie between the years 2000 and 2100".into()));
    }
    if !is_plain_text(&body.patient_name, 0, 80) {
        let what = "patient_name: at most 80 characters, no control characters";
        return Err(wrong(what.into()));
    }
    if !is_plain_text(&body.instructions, 0, 300) {
        let what = "instructions: at most 300 characters, no control characters";
        return Err(wrong(what.into()));
    }
    Ok(Appointment {
        appointment_id: body.appointment_id,
        version,
        starts_at: body.starts_at,
        phone: body.phone.as_i64(),
        patient_name: body.patient_name,
        instructions: body.instructions,
        cancelled: body.status == Status::Cancelled,
    })
}

/// What an item is among those of its request that speak of the same appointment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It goes in: of the highest version the first.
    Newest,
    /// There is a higher version.
    Older,
    /// The highest version as well: what goes in came first, and says the same or not.
    Again { first: usize, is_same: bool },
}

/// Says of every item what it is among the others; a rejected one goes in nowhere.
fn newest_of_each(items: &[Result<Appointment, Rejected>]) -> Vec<Place> {
    let mut newest: HashMap<&str, (usize, &Appointment)> = HashMap::new();
    for (n, item) in items.iter().enumerate() {
        let Ok(appointment) = item else { continue };
        let best = newest.entry(&appointment.appointment_id).or_insert((n, appointment));
        if appointment.version > best.1.version {
            *best = (n, appointment);
        }
    }
    let place = |(n, item): (usize, &Result<Appointment, Rejected>)| {
        let Ok(appointment) = item else { return Place::Older };
        let (first, best) = newest[appointment.appointment_id.as_str()];
        if first == n {
            Place::Newest
        } else if best.version > appointment.version {
            Place::Older
        } else {
            Place::Again { first, is_same: best == appointment }
        }
    };
    items.iter().enumerate().map(place).collect()
}

#[cfg(test)]
#[path = "upsert_appointments_tests.rs"]
mod tests;
