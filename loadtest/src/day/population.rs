//! Clinics, their patients and the patients' visits, as a plan resamples them: packed, and the same
//! whether they come from a file or are made up from a profile.
//!
//! A *visit* is a patient's day at a clinic with one or more appointments, each with its own
//! booking. Never here: which of them a plan uses (`plan/households.rs`).

mod made_up;

use std::ops::Range;

use super::appointments::{Appointments, Booking};

/// How and when an appointment was booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Booked {
    /// Days between booking and appointment.
    pub(crate) lead_days: u16,
    /// Seconds since local midnight at which it was booked.
    pub(crate) second: u32,
}

/// A patient's day at the clinic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visit {
    /// Days since 1970-01-01; only differences matter.
    pub(crate) day: i32,
    patient: u32,
    first: u32,
    count: u8,
}

/// Who can be resampled.
#[derive(Debug)]
pub(crate) struct Population {
    /// Each clinic's visits, a range of `visits`.
    clinics: Vec<Range<u32>>,
    /// Each patient's visits, a range of `visits`, in order of day.
    patients: Vec<Range<u32>>,
    visits: Vec<Visit>,
    booked: Vec<Booked>,
    days: u32,
}

/// More appointments of one patient on one day than this are more visits. The data's most is 7.
const APPOINTMENTS_PER_VISIT_MAX: usize = 12;

impl Population {
    /// Groups appointments by clinic, patient and day. `days` is how many appointment days they
    /// span, to turn a clinic's visits into its visits a day.
    pub(crate) fn new(mut bookings: Vec<Booking>) -> Self {
        bookings
            .sort_unstable_by_key(|b| (b.clinic, b.patient, b.day, b.booked_day, b.booked_second));
        let mut out = Self {
            clinics: Vec::new(),
            patients: Vec::new(),
            visits: Vec::new(),
            booked: Vec::with_capacity(bookings.len()),
            days: distinct_days(&bookings),
        };
        for of_clinic in bookings.chunk_by(|a, b| a.clinic == b.clinic) {
            let clinic_start = out.visit_count();
            for of_patient in of_clinic.chunk_by(|a, b| a.patient == b.patient) {
                let patient_start = out.visit_count();
                for of_day in of_patient.chunk_by(|a, b| a.day == b.day) {
                    for visit in of_day.chunks(APPOINTMENTS_PER_VISIT_MAX) {
                        out.push_visit(visit);
                    }
                }
                out.patients.push(patient_start..out.visit_count());
            }
            out.clinics.push(clinic_start..out.visit_count());
        }
        out
    }

    fn visit_count(&self) -> u32 {
        // The reader's bound on rows is far below 2^32.
        self.visits.len() as u32
    }

    fn push_visit(&mut self, bookings: &[Booking]) {
        let Some(first) = bookings.first() else {
            return;
        };
        self.visits.push(Visit {
            day: first.day,
            patient: self.patients.len() as u32,
            first: self.booked.len() as u32,
            count: bookings.len() as u8,
        });
        self.booked.extend(bookings.iter().map(|b| Booked {
            // The reader leaves out what was booked after its day or over two years ahead.
            lead_days: (b.day - b.booked_day) as u16,
            second: b.booked_second,
        }));
    }

    /// How many clinics there are.
    pub(crate) fn clinics(&self) -> u32 {
        self.clinics.len() as u32
    }

    /// A clinic's visits in a day, on average.
    pub(crate) fn visits_a_day(&self, clinic: u32) -> f64 {
        f64::from(self.clinics[clinic as usize].len() as u32) / f64::from(self.days.max(1))
    }

    /// The indices of a clinic's visits.
    pub(crate) fn visits_of(&self, clinic: u32) -> Range<u32> {
        self.clinics[clinic as usize].clone()
    }

    /// A visit.
    pub(crate) fn visit(&self, index: u32) -> &Visit {
        &self.visits[index as usize]
    }

    /// All visits of the patient of this visit, itself among them.
    pub(crate) fn history(&self, visit: &Visit) -> &[Visit] {
        let range = &self.patients[visit.patient as usize];
        &self.visits[range.start as usize..range.end as usize]
    }

    /// The bookings of a visit, the earliest first.
    pub(crate) fn booked(&self, visit: &Visit) -> &[Booked] {
        &self.booked[visit.first as usize..visit.first as usize + usize::from(visit.count)]
    }

    /// The share of visits booked at least this many days ahead.
    pub(crate) fn share_booked_ahead(&self, days: u16) -> f64 {
        let ahead = self.visits.iter().filter(|v| self.booked(v)[0].lead_days >= days).count();
        ahead as f64 / self.visits.len().max(1) as f64
    }
}

impl From<&Appointments> for Population {
    fn from(appointments: &Appointments) -> Self {
        Self::new(appointments.bookings.clone())
    }
}

fn distinct_days(bookings: &[Booking]) -> u32 {
    let mut days: Vec<i32> = bookings.iter().map(|b| b.day).collect();
    days.sort_unstable();
    days.dedup();
    days.len() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn booking(clinic: u32, patient: u32, day: i32, lead: i32) -> Booking {
        Booking { clinic, patient, booked_day: day - lead, booked_second: 30_000, day }
    }

    #[test]
    fn appointments_are_grouped_by_clinic_patient_and_day() {
        let population = Population::new(vec![
            booking(1, 7, 12, 0),
            booking(0, 3, 11, 5),
            booking(0, 3, 10, 2),
            booking(0, 3, 11, 9),
            booking(0, 4, 10, 0),
        ]);
        assert_eq!(population.clinics(), 2);
        assert_eq!(population.visits_of(0), 0..3);
        assert_eq!(population.visits_of(1), 3..4);
        assert!((population.visits_a_day(0) - 1.0).abs() < 1e-9, "3 visits on 3 days");
        let second = population.visit(1);
        assert_eq!(second.day, 11);
        let leads: Vec<u16> = population.booked(second).iter().map(|b| b.lead_days).collect();
        assert_eq!(leads, [9, 5], "the earliest booking first");
        assert_eq!(population.history(second).len(), 2);
        assert!((population.share_booked_ahead(1) - 0.5).abs() < 1e-9);
    }
}
