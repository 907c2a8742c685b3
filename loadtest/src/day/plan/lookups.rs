//! What staff look at during the day: appointments, the day's messages, the daily counts.
//!
//! An appointment is looked at only once it is there for certain, so that a look-up that finds
//! nothing is a fault. Never here: what changes anything.

use jiff::civil::Date;

use super::households::Households;
use crate::day::request::{Arrival, Request};

/// Drawings until an appointment is found that is there already.
const DRAWINGS_MAX: u32 = 8;
/// A screen of messages.
const PAGE: u16 = 100;
const NANOS: u64 = 1_000_000_000;

/// An appointment that can be looked at, and from when on, in seconds from the origin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) serial: u32,
    pub(crate) from: i32,
}

impl Households<'_> {
    /// Appends a practice's look-ups. `bookings` is how many came in on the day.
    pub(crate) fn look_up(
        &mut self,
        day: Date,
        known: &[Known],
        bookings: u32,
        out: &mut Vec<Arrival>,
    ) {
        let practice_id = self.terms.practice.practice_id as u32;
        for _ in 0..self.rounded(f64::from(bookings) * self.made_up.appointment_reads) {
            let ns = self.some_call();
            let found = (0..DRAWINGS_MAX)
                .filter_map(|_| known.get(self.draw.below(known.len() as u32) as usize))
                .find(|known| known.from <= (ns / NANOS) as i32);
            if let Some(Known { serial, from: _ }) = found {
                let request = Request::ReadAppointment { practice_id, serial: *serial };
                out.push(Arrival { intended_domain_ns: ns, request });
            }
        }
        let lists = self.rounded(f64::from(bookings) * self.made_up.message_lists).max(1);
        for _ in 0..lists {
            let request = Request::ListMessages { practice_id, day, limit: PAGE };
            out.push(Arrival { intended_domain_ns: self.some_call(), request });
        }
        for _ in 0..self.made_up.daily_counts {
            let request = Request::DailyCounts { practice_id, day };
            out.push(Arrival { intended_domain_ns: self.some_call(), request });
        }
    }

    /// To a whole number, up or down by chance, so that small practices have their share.
    fn rounded(&mut self, expected: f64) -> u32 {
        (expected + self.draw.unit()) as u32
    }
}
