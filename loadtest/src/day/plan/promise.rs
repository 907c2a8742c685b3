//! What a plan holds, and the least that the laws' checks must find after its day.
//!
//! Never here: the checks themselves.

use serde::Serialize;

use super::changes::Outlook;
use super::model::Texts;
use super::practice::RULES;
use crate::day::profile::HOURS;

/// The number of cases that each law must have had at least. A law with fewer fails.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Promise {
    /// Texts that the provider accepts, at least (laws 1, 2 and 7): no fewer than were asked for.
    pub messages_min: u64,
    /// Texts that it accepts, at most.
    pub messages_max: u64,
    /// Texts of the day-before rule and of the two-hours-before rule, at least.
    pub messages_by_rule_min: [u64; RULES],
    /// Texts by the hour after the plan's origin in which they are due, at least.
    pub messages_by_hour_min: [u64; HOURS],
    /// Practices and rules with a text on the day, at least (law 1: each balances by itself).
    pub practice_rules_min: u64,
    /// Texts that speak of two appointments or more, at least (law 7).
    pub family_messages_min: u64,
    /// Recipients (a phone at a practice) with two texts or more on the day, at least (law 3).
    pub recipients_in_order_min: u64,
    /// Calls to cancel that stop a text that would have left on the day, at least (law 4).
    pub cancellations_in_time_min: u64,
    /// Calls to cancel that stop texts due after the day, at least (law 4).
    pub cancellations_in_time_later_min: u64,
    /// Calls to cancel after a text has left, at least (law 4).
    pub cancellations_too_late_min: u64,
    /// Calls to cancel within two minutes of a due time, won by either side (law 4).
    pub cancellations_near_due: u64,
    /// Calls to cancel with nothing to stop.
    pub cancellations_of_nothing: u64,
    /// Cancellations by upsert that stop a text, of appointments that stay cancelled, at least
    /// (law 4).
    pub cancellations_unsaid_min: u64,
}

/// How much there is of everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Practices.
    pub practices: u64,
    /// Phones at practices.
    pub households: u64,
    /// Of these, phones of several patients.
    pub shared_phones: u64,
    /// Patients.
    pub patients: u64,
    /// Appointments that are imported.
    pub imported: u64,
    /// Intents of the import that are due after the day.
    pub book: u64,
    /// Requests of the day, all kinds together.
    pub arrivals: u64,
    /// Appointments booked on the day.
    pub booked: u64,
    /// Appointments moved, edited, bumped or booked again.
    pub changed: u64,
    /// Versions sent again, cancellations too: nothing may change.
    pub again: u64,
    /// Cancellations by the call.
    pub cancelled_by_call: u64,
    /// Cancellations by an upsert with that status.
    pub cancelled_by_upsert: u64,
    /// Looks at an appointment.
    pub appointment_reads: u64,
    /// Looks through the day's messages.
    pub message_lists: u64,
    /// Readings of the daily counts.
    pub daily_counts: u64,
}

impl Promise {
    pub(crate) fn add_texts(&mut self, texts: &Texts) {
        let Texts { min, max, families, by_rule, by_hour } = texts;
        self.messages_min += u64::from(*min);
        self.messages_max += u64::from(*max);
        self.family_messages_min += u64::from(*families);
        self.recipients_in_order_min += u64::from(*min >= 2);
        for (sum, n) in self.messages_by_rule_min.iter_mut().zip(by_rule) {
            *sum += u64::from(*n);
        }
        for (sum, n) in self.messages_by_hour_min.iter_mut().zip(by_hour) {
            *sum += u64::from(*n);
        }
    }

    pub(crate) fn add_cancellation(&mut self, outlook: Outlook) {
        *match outlook {
            Outlook::StopsToday => &mut self.cancellations_in_time_min,
            Outlook::StopsLater => &mut self.cancellations_in_time_later_min,
            Outlook::TooLate => &mut self.cancellations_too_late_min,
            Outlook::NearDue => &mut self.cancellations_near_due,
            Outlook::Nothing => &mut self.cancellations_of_nothing,
            Outlook::StopsUnsaid => &mut self.cancellations_unsaid_min,
        } += 1;
    }
}
