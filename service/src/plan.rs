//! When the reminders of an appointment are due: pure arithmetic on the practice's calendar, with
//! no database and no clock of its own. Each rule gives at most one [`Due`].
//!
//! Belongs here: what a rule means. Never here: what was planned before or is stored (`ingest`),
//! what a text says (`text`).
//!
//! A rule counts back calendar days at the same wall time, then minutes. Where the clocks go
//! forward, a wall time that does not exist moves forward by the gap; where they go back, the
//! second of the two is meant: so PostgreSQL reads them, and reconciliation derives the same
//! promises by its calendar. The result is moved
//! into the practice's hours, then back to the start of its grouping window, so that all of a
//! family's appointments in that window fall due at the same instant and share one text, and then
//! spread by a hash of the phone.

use contract::scatter;
use jiff::civil::{Date, DateTime, Time};
use jiff::{Span, Timestamp, ToSpan};

use crate::practice::{Revision, Rule};

/// A reminder that has to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    /// Which rule asks for it.
    pub(crate) rule_id: i16,
    /// The practice's date of the due time.
    pub(crate) local_day: Date,
    /// Which grouping window of that day.
    pub(crate) group_slot: i16,
    /// When to send it, in domain time.
    pub(crate) due_at: Timestamp,
}

/// From which instants on a promise counts, in domain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Since {
    /// The appointment is planned for its time and its phone.
    pub(crate) planned_at: Timestamp,
    /// It is planned so under the revision; not before.
    pub(crate) revised_at: Timestamp,
}

impl Since {
    /// Both at once, as for a new appointment.
    pub(crate) const fn new(at: Timestamp) -> Self {
        Self { planned_at: at, revised_at: at }
    }
}

/// The reminders of an appointment, planned at domain instants.
///
/// A rule whose exact time has passed when the appointment is booked gives none: an appointment
/// booked for this afternoon needs no text that says "tomorrow". Nor does one whose day is over
/// when its settings come.
pub(crate) fn plan(
    revision: &Revision,
    phone: i64,
    starts_at: Timestamp,
    since: Since,
) -> impl Iterator<Item = Due> {
    revision.rules.iter().filter_map(move |rule| due(revision, rule, phone, starts_at, since))
}

fn due(
    revision: &Revision,
    rule: &Rule,
    phone: i64,
    starts_at: Timestamp,
    since: Since,
) -> Option<Due> {
    let exact = exact_due(revision, rule, starts_at)?;
    if to_instant(revision, exact)? < since.planned_at {
        return None;
    }
    let within = into_hours(revision, exact);
    let slot = i32::from(minute_of_day(within.time())) / rule.grouping_minutes;
    let opens = slot_start(slot, rule.grouping_minutes).max(revision.send_from);
    let local_day = within.date();
    let day_number = local_day.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24;
    let seconds = scatter(
        revision.practice_id,
        phone,
        i32::try_from(day_number).ok()?,
        u32::try_from(rule.scatter_seconds).ok()?,
    );
    let opens_at = local_day.to_datetime(opens);
    let spread = opens_at.checked_add(i64::from(seconds).seconds()).ok()?;
    let last = last_of(revision, local_day)?;
    let due_at = to_instant(revision, spread.min(last))?.max(since.revised_at);
    // The spread of the window has to end before the appointment begins, whatever this phone's
    // share of it is; and nothing is planned once the practice has closed for the day.
    let spread_ends = opens_at.checked_add(i64::from(rule.scatter_seconds).seconds()).ok()?;
    let latest = to_instant(revision, spread_ends.min(last))?;
    if latest >= starts_at || due_at >= starts_at || due_at > to_instant(revision, last)? {
        return None;
    }
    Some(Due { rule_id: rule.rule_id, local_day, group_slot: i16::try_from(slot).ok()?, due_at })
}

/// Whether the practice has closed for the day on which a reminder was to leave.
pub(crate) fn has_closed(revision: &Revision, due: &Due, domain_now: Timestamp) -> bool {
    let last = last_of(revision, due.local_day).and_then(|last| to_instant(revision, last));
    last.is_none_or(|last| last < domain_now)
}

/// When the practice sends next, in domain time; `None` if it sends at this instant.
///
/// A wall time that comes twice is within the hours both times, or both times it is not.
pub(crate) fn opens_after(revision: &Revision, domain_now: Timestamp) -> Option<Timestamp> {
    let local = domain_now.to_zoned(revision.timezone.clone()).datetime();
    if (revision.send_from..revision.send_until).contains(&local.time()) {
        return None;
    }
    // Today or tomorrow; a day later only where clocks that change leave one out.
    let opens = (0..=2_i64).filter_map(|days| {
        let date = local.date().checked_add(days.days()).ok()?;
        shown_after(revision, date.to_datetime(revision.send_from), domain_now)
    });
    Some(opens.min().unwrap_or(Timestamp::MAX))
}

/// The first instant after another at which the practice's wall shows this.
fn shown_after(revision: &Revision, local: DateTime, after: Timestamp) -> Option<Timestamp> {
    let shown = revision.timezone.to_ambiguous_timestamp(local);
    let (first, again) = (shown.compatible().ok()?, shown.later().ok()?);
    [first, again].into_iter().find(|at| *at > after)
}

/// The last second of a day in which the practice sends.
fn last_of(revision: &Revision, local_day: Date) -> Option<DateTime> {
    local_day.to_datetime(revision.send_until).checked_sub(1.second()).ok()
}

/// The rule's time on the practice's wall, before hours and grouping.
fn exact_due(revision: &Revision, rule: &Rule, starts_at: Timestamp) -> Option<DateTime> {
    let local = starts_at.to_zoned(revision.timezone.clone()).datetime();
    let days = Span::new().days(i64::from(rule.before_days));
    let minutes = Span::new().minutes(i64::from(rule.before_minutes));
    local.checked_sub(days).ok()?.checked_sub(minutes).ok()
}

/// Moves a wall time into the practice's hours of the same day.
fn into_hours(revision: &Revision, exact: DateTime) -> DateTime {
    let last = revision.send_until.saturating_sub(1.second());
    let time = exact.time().clamp(revision.send_from, last);
    exact.date().to_datetime(time)
}

fn minute_of_day(time: Time) -> i16 {
    i16::from(time.hour()) * 60 + i16::from(time.minute())
}

/// The wall time at which a grouping window opens.
fn slot_start(slot: i32, grouping_minutes: i32) -> Time {
    let minute = slot * grouping_minutes;
    // A slot is a minute of the day divided by the window's length, so this stays within the day.
    Time::midnight().saturating_add(Span::new().minutes(i64::from(minute)))
}

fn to_instant(revision: &Revision, local: DateTime) -> Option<Timestamp> {
    revision.timezone.to_ambiguous_timestamp(local).later().ok()
}

#[cfg(test)]
mod tests;
