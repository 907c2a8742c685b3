//! What a change does to an appointment and to the intents it has: a pure decision over what was
//! read under locks. Idempotent: deciding again on its own result decides nothing more.

#[cfg(debug_assertions)]
mod bug;

use jiff::Timestamp;
use jiff::civil::Date;

use super::{Appointment, Change, Done, Outcome, Stopped};
use crate::plan::{Due, Since, has_closed, plan};
use crate::practice::Revision;

/// An appointment as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    pub(super) appointment: Appointment,
    /// Under which revision it was planned.
    pub(super) revision: i32,
    /// When it was first planned for this time and phone, in domain time.
    pub(super) planned_at: Timestamp,
    /// When it was first planned so under its revision.
    pub(super) revised_at: Timestamp,
    /// The days on which it has or had intents.
    pub(super) intent_days: Vec<Date>,
    /// The first day on which it has a reminder that is beyond the horizon.
    pub(super) unplanned_from: Option<Date>,
}

/// An intent of it that is planned or released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Intent {
    pub(super) due_day: Date,
    pub(super) rule_id: i16,
    pub(super) plan_version: i64,
    pub(super) group_slot: i16,
    pub(super) phone: i64,
    pub(super) due_at: Timestamp,
    pub(super) starts_at: Timestamp,
    /// The text it became, if it was released.
    pub(super) released: Option<Released>,
}

/// The text that an intent became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Released {
    pub(super) message_id: i64,
    /// It has not left, and can't while the lane's lock is held.
    pub(super) stoppable: bool,
}

/// Why an intent is suppressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Cancelled,
    Moved,
}

/// What has to be written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decision {
    pub(super) done: Done,
    /// The appointment's new row; `None` leaves it as it is.
    pub(super) store: Option<Known>,
    /// Planned intents to remove: they moved.
    pub(super) delete: Vec<Intent>,
    /// Intents to mark: they were stopped in time.
    pub(super) suppress: Vec<(Intent, Why)>,
    /// Intents to make.
    pub(super) insert: Vec<Due>,
}

/// Where planning stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// Domain time.
    pub(super) domain_now: Timestamp,
    /// The last day for which intents are planned.
    pub(super) horizon: Date,
}

/// Which version of the appointment the change asks for, if it is to be stored.
pub(super) fn wanted(known: Option<&Known>, change: &Change) -> Result<Appointment, Outcome> {
    match (change, known) {
        (Change::Upsert(new), None) => Ok(new.clone()),
        (Change::Upsert(new), Some(known)) => {
            use std::cmp::Ordering::{Equal, Greater, Less};
            match new.version.cmp(&known.appointment.version) {
                Less => Err(Outcome::Superseded),
                Equal if *new == known.appointment => Err(Outcome::Unchanged),
                Equal => Err(Outcome::Conflict),
                Greater => Ok(new.clone()),
            }
        }
        (Change::Cancel { .. } | Change::Replan { .. }, None) => Err(Outcome::Unknown),
        (Change::Cancel { version, .. }, Some(known)) => {
            let current = &known.appointment;
            if version.is_some_and(|version| version < current.version) {
                return Err(Outcome::Superseded);
            }
            // A later version is stored also where it changes nothing: nothing older may undo it.
            if current.cancelled && version.is_none_or(|version| version == current.version) {
                return Err(Outcome::Unchanged);
            }
            let version = version.unwrap_or(current.version + 1).max(current.version);
            Ok(Appointment { version, cancelled: true, ..current.clone() })
        }
        (Change::Replan { .. }, Some(known)) => Ok(known.appointment.clone()),
    }
}

/// Decides on a change. `intents` are those of the appointment that are planned or released.
pub(super) fn decide(
    known: Option<&Known>,
    change: &Change,
    intents: &[Intent],
    revision: &Revision,
    now: Now,
) -> Decision {
    let appointment = match wanted(known, change) {
        Ok(appointment) => appointment,
        Err(outcome) => return nothing(known, outcome, intents),
    };
    // What moves nothing, an edit or other settings of the practice, keeps what was promised when
    // the appointment was booked, also where the exact time of a rule has passed and its text has
    // not left. Other settings count from when they are known.
    let since = match known {
        Some(known) if moves_nothing(known, &appointment) => {
            let is_same = known.revision == revision.revision;
            let revised_at = if is_same { known.revised_at } else { now.domain_now };
            Since { planned_at: known.planned_at, revised_at }
        }
        Some(_) | None => Since::new(now.domain_now),
    };
    #[cfg_attr(not(debug_assertions), expect(unused_mut, reason = "a release has no bug"))]
    let mut dues: Vec<Due> = if appointment.cancelled {
        Vec::new()
    } else {
        plan(revision, appointment.phone, appointment.starts_at, since).collect()
    };
    #[cfg(debug_assertions)]
    bug::spoil(&mut dues);
    let (beyond, mut dues): (Vec<Due>, Vec<Due>) =
        dues.into_iter().partition(|due| due.local_day > now.horizon);
    let unplanned_from = beyond.iter().map(|due| due.local_day).min();

    let Fates { delete, suppress, stopped, kept } =
        fates_of(intents, &appointment, &mut dues, now.domain_now);
    // Planned as of an earlier instant, what is missing may be too late by now.
    dues.retain(|due| !has_closed(revision, due, now.domain_now));
    let planned = kept + dues.len();
    let mut intent_days: Vec<Date> = intents
        .iter()
        .filter(|intent| !delete.contains(intent))
        .map(|intent| intent.due_day)
        .chain(dues.iter().map(|due| due.local_day))
        .chain(suppressed_days(known))
        .collect();
    intent_days.sort_unstable();
    intent_days.dedup();
    let version = appointment.version;
    let was_cancelled = known.is_some_and(|known| known.appointment.cancelled);
    let outcome = match change {
        Change::Cancel { .. } if was_cancelled => Outcome::Unchanged,
        Change::Cancel { .. } | Change::Upsert(_) | Change::Replan { .. } => Outcome::Stored,
    };
    Decision {
        done: Done { outcome, version, planned, stopped },
        store: Some(Known {
            appointment,
            revision: revision.revision,
            planned_at: since.planned_at,
            revised_at: since.revised_at,
            intent_days,
            unplanned_from,
        }),
        delete,
        suppress,
        insert: dues,
    }
}

/// What becomes of the intents that an appointment has.
struct Fates {
    delete: Vec<Intent>,
    suppress: Vec<(Intent, Why)>,
    stopped: Vec<Stopped>,
    /// How many planned ones stay as they are.
    kept: usize,
}

/// Compares the intents with the reminders that are due now; takes out of those what is there.
fn fates_of(
    intents: &[Intent],
    appointment: &Appointment,
    dues: &mut Vec<Due>,
    domain_now: Timestamp,
) -> Fates {
    let mut delete = Vec::new();
    let mut suppress = Vec::new();
    let mut stopped = Vec::new();
    let mut kept = 0;
    for intent in intents {
        let same = intent.starts_at == appointment.starts_at && intent.phone == appointment.phone;
        let position = dues.iter().position(|due| due.rule_id == intent.rule_id);
        match intent.released {
            // It became a text that still says the truth: that is this rule's reminder.
            Some(_) if same && !appointment.cancelled => {
                if let Some(position) = position {
                    dues.remove(position);
                }
            }
            Some(released) => {
                stopped.push(stop(intent, released.stoppable));
                if released.stoppable {
                    let why = if appointment.cancelled { Why::Cancelled } else { Why::Moved };
                    suppress.push((*intent, why));
                }
            }
            None if appointment.cancelled => {
                stopped.push(stop(intent, true));
                suppress.push((*intent, Why::Cancelled));
            }
            None => match position {
                Some(at) if same && is_same_promise(intent, &dues[at]) => {
                    dues.remove(at);
                    kept += 1;
                }
                // It was due before the settings that take it away, and leaves as soon as it can.
                None if same && intent.due_at <= domain_now => kept += 1,
                Some(_) | None => delete.push(*intent),
            },
        }
    }
    Fates { delete, suppress, stopped, kept }
}

fn moves_nothing(known: &Known, new: &Appointment) -> bool {
    let old = &known.appointment;
    !old.cancelled && !new.cancelled && (old.starts_at, old.phone) == (new.starts_at, new.phone)
}

/// The same grouping window of the same day: whatever else was computed, it is the same reminder.
fn is_same_promise(intent: &Intent, due: &Due) -> bool {
    (intent.due_day, intent.group_slot) == (due.local_day, due.group_slot)
}

/// Days are only ever added, so that every intent of an appointment can be found again; they go
/// with their partitions.
fn suppressed_days(known: Option<&Known>) -> impl Iterator<Item = Date> {
    known.into_iter().flat_map(|known| known.intent_days.iter().copied())
}

fn stop(intent: &Intent, in_time: bool) -> Stopped {
    Stopped {
        rule_id: intent.rule_id,
        message_id: intent.released.map(|released| released.message_id),
        due_at: intent.due_at,
        in_time,
    }
}

fn nothing(known: Option<&Known>, outcome: Outcome, intents: &[Intent]) -> Decision {
    Decision {
        done: Done {
            outcome,
            version: known.map_or(0, |known| known.appointment.version),
            planned: intents.iter().filter(|intent| intent.released.is_none()).count(),
            stopped: Vec::new(),
        },
        store: None,
        delete: Vec::new(),
        suppress: Vec::new(),
        insert: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
