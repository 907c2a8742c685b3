//! A population made up from a profile: it has the profile's distributions and no real patient.

use crate::day::appointments::Booking;
use crate::day::draw::{Draw, Purpose, interpolate};
use crate::day::population::Population;
use crate::day::profile::Profile;

/// Seconds within which the bookings of one call follow each other.
const SAME_CALL_SECONDS: u32 = 60;

impl Population {
    /// As many clinics and days as the profile was fitted from, filled by its distributions.
    pub(crate) fn from_profile(profile: &Profile, seed: u64) -> Self {
        let mut bookings = Vec::with_capacity(profile.appointments as usize);
        let mut patient = 0;
        for clinic in 0..profile.clinics {
            let mut draw = Draw::new(seed, Purpose::Population, clinic);
            let at = (f64::from(clinic) + 0.5) / f64::from(profile.clinics);
            let size = interpolate(&profile.clinic_appointments, at).max(1) as usize;
            let full = bookings.len() + size;
            while bookings.len() < full {
                push_patient(profile, &mut draw, clinic, patient, &mut bookings);
                patient += 1;
            }
        }
        Self::new(bookings)
    }
}

fn push_patient(
    profile: &Profile,
    draw: &mut Draw,
    clinic: u32,
    patient: u32,
    bookings: &mut Vec<Booking>,
) {
    let days = profile.days.max(1);
    let visits = 1 + draw.weighted(&profile.visits_per_patient);
    let mut day = draw.below(days) as i32;
    for _ in 0..visits {
        let count = 1 + draw.weighted(&profile.appointments_per_visit);
        push_visit(
            profile,
            draw,
            Booking { clinic, patient, booked_day: 0, booked_second: 0, day },
            count,
            bookings,
        );
        let gap = draw.quantile(&profile.revisit_gap_days).max(1);
        // Wrapping keeps every day as busy as the others.
        day = (day + gap as i32) % days as i32;
    }
}

fn push_visit(
    profile: &Profile,
    draw: &mut Draw,
    mut booking: Booking,
    count: usize,
    bookings: &mut Vec<Booking>,
) {
    for nth in 0..count {
        let same_call = nth > 0 && draw.chance(profile.same_call_share);
        if same_call {
            let later = booking.booked_second + draw.below(SAME_CALL_SECONDS);
            booking.booked_second = later.min(86_399);
        } else {
            let same_day = draw.chance(profile.same_day_share);
            let (lead, hours) = if same_day {
                (0, &profile.booked_same_day_by_hour)
            } else {
                (draw.quantile(&profile.lead_days).max(1), &profile.booked_ahead_by_hour)
            };
            booking.booked_day = booking.day - lead as i32;
            booking.booked_second = draw.weighted(hours) as u32 * 3600 + draw.below(3600);
        }
        bookings.push(booking);
    }
}
