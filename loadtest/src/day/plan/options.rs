//! What a plan is asked for, and every proportion that the data lacks and the plan makes up, each
//! stated here once.
//!
//! Never here: drawing from them.

use jiff::civil::{Date, Time};
use serde::Serialize;

/// A time zone and the share of the practices in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ZoneShare {
    /// IANA name.
    pub name: String,
    /// Relative to the other shares.
    pub share: f64,
}

/// What day is asked for. The same options, source and release give the same plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Options {
    /// Names the streams of chance.
    pub seed: u64,
    /// Texts that the provider is to accept on the day, at least.
    pub messages: u64,
    /// Intents due after the day that are imported before it; `None` is as many as `messages`. The
    /// second reminders of the next day's appointments are always among them.
    pub book: Option<u64>,
    /// The local day that is replayed.
    pub day: Date,
    /// Where the practices are; the first is the zone that `day` and the window are local to.
    pub zones: Vec<ZoneShare>,
    /// The replay's domain clock begins here.
    pub window_from: Time,
    /// Nothing arrives and nothing is due after this.
    pub window_until: Time,
    /// How late, in domain seconds, the service may do a thing and the plan's minimum still hold:
    /// what is nearer to an edge than this is planned elsewhere or counted as uncertain. At speed
    /// 180, half an hour is 10 s.
    pub margin_seconds: u32,
    /// Texts planned beyond `messages`, as a share, for what the day itself may suppress: opted out
    /// by a reply, expired behind a failing one.
    pub reserve: f64,
    /// Practices are numbered from here.
    pub first_practice_id: u32,
    /// How much busier than the data's clinics the practices are; `None` grows with `messages`, so
    /// that half a million texts come from some thousand practices rather than ten thousand.
    pub growth: Option<f64>,
    /// The proportions that are made up.
    pub made_up: MadeUp,
}

/// Practices are numbered from here unless told otherwise.
pub(crate) const FIRST_PRACTICE_ID: u32 = 1_001;

impl Default for Options {
    /// A Tuesday of practices in the two zones in which three in four people of the United States
    /// live. Clocks go forward five days later, so the book behind the day crosses that.
    fn default() -> Self {
        let zone = |name: &str, share| ZoneShare { name: name.to_owned(), share };
        Self {
            seed: 1,
            messages: 20_000,
            book: None,
            day: Date::constant(2027, 3, 9),
            zones: vec![zone("America/New_York", 0.6), zone("America/Chicago", 0.4)],
            window_from: Time::constant(6, 0, 0, 0),
            window_until: Time::constant(19, 30, 0, 0),
            margin_seconds: 1_800,
            reserve: 0.003,
            first_practice_id: FIRST_PRACTICE_ID,
            growth: None,
            made_up: MadeUp::default(),
        }
    }
}

impl Options {
    /// The intents that are to stand behind the day.
    #[must_use]
    pub fn book(&self) -> u64 {
        self.book.unwrap_or(self.messages)
    }

    /// How much busier than the data's clinics the practices are: 4 at 20 thousand messages, at
    /// most 8.
    #[must_use]
    pub fn growth(&self) -> f64 {
        self.growth.unwrap_or_else(|| (self.messages as f64 / 5_000.0).clamp(1.0, 8.0))
    }
}

/// What the data lacks, as shares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MadeUp {
    /// Of households: several patients share a guarantor's phone.
    pub shared_phone: f64,
    /// Weights of such households with 2, 3, 4, 5 patients.
    pub family_sizes: [f64; 4],
    /// Of the other members of a family: come along, one after the other, on the same day.
    pub come_along: f64,
    /// Of households: use their phone at other practices as well.
    pub roaming_phone: f64,
    /// Of appointments: carry special instructions.
    pub instructions: f64,
    /// Of appointments: cancelled on the day, at an hour of the booking curve.
    pub cancelled: f64,
    /// Of appointments with a text on the day: cancelled within two minutes of its due time.
    pub cancelled_near_due: f64,
    /// Of cancellations, apart from those near the due time: sent as a version with the status
    /// `cancelled` rather than by the cancel call.
    pub cancelled_by_upsert: f64,
    /// Of cancellations: sent twice.
    pub cancelled_twice: f64,
    /// Of cancellations, apart from those near the due time: booked again later in the day.
    pub booked_again: f64,
    /// Of appointments: moved to another day.
    pub moved: f64,
    /// Of appointments: another name or other instructions, the time stays.
    pub edited: f64,
    /// Of appointments: a higher version in which nothing changed.
    pub bumped: f64,
    /// Of appointments: the same version sent again.
    pub repeated: f64,
    /// Of moved and edited appointments: the old version arrives once more, after the new one.
    pub stale: f64,
    /// Looking at an appointment, per live booking.
    pub appointment_reads: f64,
    /// Looking through the day's messages, per live booking; at least once a practice.
    pub message_lists: f64,
    /// Readings of the daily counts in each practice.
    pub daily_counts: u32,
}

impl Default for MadeUp {
    fn default() -> Self {
        Self {
            shared_phone: 0.20,
            family_sizes: [0.50, 0.30, 0.15, 0.05],
            come_along: 0.60,
            roaming_phone: 0.02,
            instructions: 0.15,
            cancelled: 0.05,
            cancelled_near_due: 0.006,
            cancelled_by_upsert: 0.10,
            cancelled_twice: 0.10,
            booked_again: 0.05,
            moved: 0.03,
            edited: 0.03,
            bumped: 0.01,
            repeated: 0.01,
            stale: 0.20,
            appointment_reads: 0.10,
            message_lists: 0.02,
            daily_counts: 4,
        }
    }
}

/// Weight of each hour from 7 to 17 in the times of day of appointments: a full morning, a lunch
/// hour, a shorter afternoon. Clinics see patients from 07:00 to 18:00.
pub(crate) const CLINIC_HOURS: [f64; 11] =
    [8.0, 13.0, 13.0, 12.0, 9.0, 4.0, 9.0, 11.0, 10.0, 7.0, 4.0];
/// The first of these hours.
pub(crate) const CLINIC_OPENS_HOUR: u16 = 7;
/// The end of the last of these hours; only walk-ins are seen later.
pub(crate) const CLINIC_CLOSES_HOUR: u16 = CLINIC_OPENS_HOUR + CLINIC_HOURS.len() as u16;
/// Minutes between appointments, with the share of practices.
pub(crate) const SLOT_MINUTES: [(u16, f64); 3] = [(5, 0.2), (10, 0.3), (15, 0.5)];
/// When practices begin to send, in minutes since midnight, with their share.
pub(crate) const SEND_FROM: [(u16, f64); 2] = [(7 * 60, 0.6), (8 * 60, 0.4)];
/// When practices stop sending, in minutes since midnight, with their share: some time after the
/// last text is due. At speed 5,000 a real second is 83 minutes of the day, and what is late beyond
/// its practice's hours waits for a morning that no replay has.
pub(crate) const SEND_UNTIL: [(u16, f64); 3] =
    [(21 * 60, 0.3), (21 * 60 + 30, 0.6), (22 * 60, 0.1)];
/// Grouping of the day-before rule in minutes, with the share of practices. An hour and its full
/// scatter spread the day's texts evenly.
pub(crate) const DAY_BEFORE_GROUPING: [(u16, f64); 3] = [(60, 0.7), (120, 0.2), (240, 0.1)];
/// Last local minute at which any of these practices has a text due: the 17:00 slot and its hour
/// of scatter.
pub(crate) const LAST_DUE_MINUTE: u16 = 18 * 60;
