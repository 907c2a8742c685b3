//! Fits a [`Profile`] to appointments: counts, quantiles and one moment, all in exact arithmetic
//! up to a last rounding, so that every machine gets the same figures.

use std::collections::BTreeMap;

use super::{HOURS, Profile};
use crate::day::appointments::{Appointments, Booking};

const SOURCE: &str = "Medical Appointment No Shows data set (J. Hoppen, Aquarela; CC BY-NC-SA \
                      4.0), fitted figures only";
/// Hours with fewer bookings say little about bursts: a minute of them expects less than one.
const BURST_HOUR_BOOKINGS_MIN: u32 = 60;
/// Bookings of one visit closer than this are taken for one call.
const SAME_CALL_SECONDS: u32 = 120;
/// Quantiles of clinic sizes: enough for the largest to stand out.
const CLINIC_QUANTILES: usize = 41;
/// Quantiles of the days between visits.
const GAP_QUANTILES: usize = 21;

/// Fits a profile.
#[must_use]
pub fn fit(appointments: &Appointments) -> Profile {
    let bookings = &appointments.bookings;
    let (same_day, ahead): (Vec<&Booking>, Vec<&Booking>) =
        bookings.iter().partition(|b| b.booked_day == b.day);
    let leads = ahead.iter().map(|b| (b.day - b.booked_day).unsigned_abs()).collect();
    let (minute_excess, minute_max) = bursts(bookings);
    let visits = visits(bookings);
    Profile {
        source: SOURCE.to_owned(),
        appointments: bookings.len() as u64,
        clinics: appointments.clinics,
        days: distinct(bookings.iter().map(|b| b.day)),
        booked_same_day_by_hour: by_hour(&same_day),
        booked_ahead_by_hour: by_hour(&ahead),
        same_day_share: ratio(same_day.len(), bookings.len()),
        lead_days: quantiles(leads, 101),
        minute_excess,
        minute_max,
        clinic_appointments: quantiles(
            counts(bookings.iter().map(|b| b.clinic)).into_values().collect(),
            CLINIC_QUANTILES,
        ),
        appointments_per_visit: shares(visits.values().map(|booked| booked.len())),
        same_call_share: same_calls(&visits),
        visits_per_patient: shares(
            counts(visits.keys().map(|(patient, _)| *patient)).into_values().map(|n| n as usize),
        ),
        revisit_gap_days: quantiles(gaps(&visits), GAP_QUANTILES),
    }
}

/// Patient and day to the instants of booking, in seconds since 1970-01-01 local.
type Visits = BTreeMap<(u32, i32), Vec<i64>>;

fn visits(bookings: &[Booking]) -> Visits {
    let mut visits = Visits::new();
    for b in bookings {
        let instant = i64::from(b.booked_day) * 86_400 + i64::from(b.booked_second);
        visits.entry((b.patient, b.day)).or_default().push(instant);
    }
    visits.values_mut().for_each(|booked| booked.sort_unstable());
    visits
}

fn same_calls(visits: &Visits) -> f64 {
    let gaps: Vec<i64> =
        visits.values().flat_map(|booked| booked.windows(2).map(|w| w[1] - w[0])).collect();
    let same = gaps.iter().filter(|gap| **gap < i64::from(SAME_CALL_SECONDS)).count();
    ratio(same, gaps.len())
}

fn gaps(visits: &Visits) -> Vec<u32> {
    let days: Vec<&(u32, i32)> = visits.keys().collect();
    days.windows(2)
        .filter(|pair| pair[0].0 == pair[1].0)
        .map(|pair| (pair[1].1 - pair[0].1).unsigned_abs())
        .collect()
}

fn by_hour(bookings: &[&Booking]) -> [f64; HOURS] {
    let mut counts = [0_usize; HOURS];
    for b in bookings {
        counts[(b.booked_second / 3600) as usize] += 1;
    }
    counts.map(|n| ratio(n, bookings.len()))
}

/// By the method of moments over the busy hours: Σ((n − µ)² − n·59/60) ÷ Σµ², where n is a
/// minute's count, µ its hour's mean and 59/60 what a mean fitted from 60 minutes takes away.
fn bursts(bookings: &[Booking]) -> (f64, u32) {
    let mut hours: BTreeMap<(i32, u32), [u32; 60]> = BTreeMap::new();
    for b in bookings {
        let hour = hours.entry((b.booked_day, b.booked_second / 3600)).or_insert([0; 60]);
        hour[(b.booked_second / 60 % 60) as usize] += 1;
    }
    // In units of (1/60)², to stay in whole numbers: n − µ = (60 n − Σn) / 60.
    let (mut excess, mut squares) = (0_i64, 0_i64);
    for minutes in hours.values() {
        let total: u32 = minutes.iter().sum();
        if total < BURST_HOUR_BOOKINGS_MIN {
            continue;
        }
        let total = i64::from(total);
        for n in minutes.map(i64::from) {
            excess += (60 * n - total).pow(2) - n * 59 * 60;
            squares += total * total;
        }
    }
    let most = hours.values().flatten().copied().max().unwrap_or(0);
    let excess = if squares == 0 { 0.0 } else { excess.max(0) as f64 / squares as f64 };
    (round(excess), most)
}

fn counts<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, u32> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_insert(0) += 1;
    }
    counts
}

fn distinct(days: impl Iterator<Item = i32>) -> u32 {
    counts(days).len() as u32
}

/// The share of each size from 1 up to the largest.
fn shares(sizes: impl Iterator<Item = usize>) -> Vec<f64> {
    let counts = counts(sizes);
    let total = counts.values().sum::<u32>() as usize;
    let largest = counts.keys().next_back().copied().unwrap_or(0);
    let share = |size| ratio(counts.get(&size).copied().unwrap_or(0) as usize, total);
    (1..=largest).map(share).collect()
}

/// Evenly spaced quantiles by rank.
fn quantiles(mut values: Vec<u32>, count: usize) -> Vec<u32> {
    values.sort_unstable();
    let Some(last) = values.len().checked_sub(1) else {
        return vec![0; count];
    };
    (0..count).map(|i| values[i * last / (count - 1)]).collect()
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { round(part as f64 / whole as f64) }
}

/// To six decimals: figures, not the data's bits.
fn round(x: f64) -> f64 {
    (x * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn booking(patient: u32, booked_day: i32, booked_second: u32, day: i32) -> Booking {
        Booking { clinic: patient % 2, patient, booked_day, booked_second, day }
    }

    #[test]
    fn figures_of_a_handful() {
        let profile = fit(&Appointments {
            bookings: vec![
                booking(0, 10, 7 * 3600, 10),
                booking(0, 10, 7 * 3600 + 30, 10),
                booking(1, 8, 9 * 3600, 12),
                booking(1, 9, 9 * 3600, 15),
            ],
            clinics: 2,
            patients: 2,
            rejected: crate::day::appointments::Rejected::default(),
        });
        assert_eq!((profile.appointments, profile.clinics, profile.days), (4, 2, 3));
        assert!((profile.booked_same_day_by_hour[7] - 1.0).abs() < 1e-9);
        assert!((profile.booked_ahead_by_hour[9] - 1.0).abs() < 1e-9);
        assert!((profile.same_day_share - 0.5).abs() < 1e-9);
        assert_eq!((profile.lead_days[0], profile.lead_days[100]), (4, 6));
        assert_eq!(profile.appointments_per_visit, [0.666_667, 0.333_333]);
        assert_eq!(profile.visits_per_patient, [0.5, 0.5]);
        assert!((profile.same_call_share - 1.0).abs() < 1e-9);
        assert_eq!(profile.revisit_gap_days[10], 3);
        assert_eq!(profile.minute_max, 2);
        assert!(profile.minute_excess.abs() < 1e-9, "no hour is busy enough");
    }

    /// Every second minute twice the rate: the rate's variance is 1 in units of its mean squared.
    #[test]
    fn bursts_are_what_poisson_does_not_explain() {
        let mut bookings = Vec::new();
        for minute in (0..60).step_by(2) {
            for n in 0..40 {
                bookings.push(booking(n, 1, 8 * 3600 + minute * 60, 1));
            }
        }
        let (excess, most) = bursts(&bookings);
        assert_eq!(most, 40);
        assert!((excess - 0.95).abs() < 0.03, "{excess}");
    }

    #[test]
    fn nothing_gives_zeros() {
        let profile = fit(&Appointments::default());
        assert_eq!(profile.appointments, 0);
        assert_eq!(profile.lead_days, vec![0; 101]);
    }
}
