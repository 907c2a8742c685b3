//! What a change does to an appointment and to the intents it has: a pure decision over what was
//! read under locks. Idempotent: deciding again on its own result decides nothing more.

#[cfg(debug_assertions)]
mod bug;

use jiff::Timestamp;
use jiff::civil::Date;

use super::{Appointment, Change, Done, Outcome, Stopped, VERSION_MAX};
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

impl Intent {
    /// Whether it tells the truth of an appointment.
    fn is_true(&self, appointment: &Appointment) -> bool {
        let same = (self.starts_at, self.phone) == (appointment.starts_at, appointment.phone);
        same && !appointment.cancelled
    }

    /// Whether both became one text.
    fn shares_text(&self, other: &Self) -> bool {
        let text = |intent: &Self| intent.released.map(|released| released.message_id);
        text(self).is_some() && text(self) == text(other)
    }
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
            // The highest has no successor, and is cancelled as what it is.
            let next = (current.version + 1).min(VERSION_MAX);
            let version = version.unwrap_or(next).max(current.version);
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
    let since = since(known, &appointment, revision, now.domain_now);
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
        fates_of(intents, &appointment, &mut dues, since.revised_at);
    // Planned as of an earlier instant, what is missing may be too late by now, or it expired when
    // the appointment began.
    let has_begun = appointment.starts_at <= now.domain_now;
    dues.retain(|due| !has_begun && !has_closed(revision, due, now.domain_now));
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
    // A claim asks for the promise behind a text whose appointment was planned again since it was
    // due. By nothing else it sees that one is gone of which all that the text says is true.
    let takes_back = suppress.iter().any(|(intent, _)| intent.is_true(&appointment));
    let again_at = if takes_back { now.domain_now } else { since.revised_at };
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
            revised_at: since.revised_at.max(again_at),
            intent_days,
            unplanned_from,
        }),
        delete,
        suppress,
        insert: dues,
    }
}

/// From when on its promises count. What moves nothing, an edit or other settings of the practice,
/// keeps what was promised when the appointment was booked, also where the exact time of a rule has
/// passed and its text has not left. Other settings count from when they are known.
fn since(
    known: Option<&Known>,
    appointment: &Appointment,
    revision: &Revision,
    domain_now: Timestamp,
) -> Since {
    match known {
        Some(known) if moves_nothing(known, appointment) => {
            let is_same = known.revision == revision.revision;
            let revised_at = if is_same { known.revised_at } else { domain_now };
            Since { planned_at: known.planned_at, revised_at }
        }
        Some(_) | None => Since::new(domain_now),
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

/// Compares the intents with the reminders that are due now; takes out of those what is there. Of a
/// rule one stands, and what reconciliation calls surplus doesn't, if it can still be stopped.
fn fates_of(
    intents: &[Intent],
    appointment: &Appointment,
    dues: &mut Vec<Due>,
    revised_at: Timestamp,
) -> Fates {
    let mut fates =
        Fates { delete: Vec::new(), suppress: Vec::new(), stopped: Vec::new(), kept: 0 };
    let mut standing: Vec<&Intent> = Vec::new();
    for intent in in_order(intents, dues) {
        let position = dues.iter().position(|due| due.rule_id == intent.rule_id);
        let stands = intent.is_true(appointment)
            && match (intent.released, position) {
                // It became a text that still says the truth: that is this rule's reminder.
                (Some(_), Some(_)) | (Some(Released { stoppable: false, .. }), None) => true,
                (None, Some(at)) => is_same_promise(intent, &dues[at]),
                (_, None) => match standing.iter().find(|it| it.rule_id == intent.rule_id) {
                    Some(other) => intent.shares_text(other),
                    // It was due before the settings that take it away, and leaves as soon as it
                    // can.
                    None => intent.due_at <= revised_at,
                },
            };
        if stands {
            if let Some(at) = position {
                dues.remove(at);
            }
            standing.push(intent);
            fates.kept += usize::from(intent.released.is_none());
            continue;
        }
        let why = if appointment.cancelled { Why::Cancelled } else { Why::Moved };
        match intent.released {
            None if !appointment.cancelled => fates.delete.push(*intent),
            released => {
                let in_time = released.is_none_or(|released| released.stoppable);
                fates.stopped.push(stop(intent, in_time));
                if in_time {
                    fates.suppress.push((*intent, why));
                }
            }
        }
    }
    fates
}

/// What has left goes before what can be stopped, then what a rule gives before what none does, and
/// a text before what waits.
fn in_order<'a>(intents: &'a [Intent], dues: &[Due]) -> Vec<&'a Intent> {
    let mut ordered: Vec<&Intent> = intents.iter().collect();
    ordered.sort_by_key(|intent| {
        let has_left = intent.released.is_some_and(|released| !released.stoppable);
        let is_given =
            dues.iter().any(|due| due.rule_id == intent.rule_id && is_same_promise(intent, due));
        (!has_left, !is_given, intent.released.is_none())
    });
    ordered
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
