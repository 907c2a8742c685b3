//! The built-in profile of a day: figures fitted from the public "Medical Appointment No Shows"
//! data set (J. Hoppen, Aquarela; CC BY-NC-SA 4.0; appointments of Vitória, Brazil, 2016). Only
//! figures are here, never the data.
//!
//! [`fit`] makes a profile from any file in that format; `profile.json` is the fit of the cleaned
//! part of the data set, and a test fits it again where the file is present.

mod fit;

use serde::{Deserialize, Serialize};

pub use fit::fit;

/// Hours of a day.
pub(crate) const HOURS: usize = 24;

/// What of a set of appointments is worth keeping in a replay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Where the figures come from, with the licence of the data.
    pub source: String,
    /// Appointments that it was fitted from.
    pub appointments: u64,
    /// Clinics that it was fitted from.
    pub clinics: u32,
    /// Different appointment days.
    pub days: u32,
    /// Share of the bookings for the same day, by hour of the booking.
    pub booked_same_day_by_hour: [f64; HOURS],
    /// Share of the bookings ahead, by hour of the booking.
    pub booked_ahead_by_hour: [f64; HOURS],
    /// Share of appointments booked on their own day.
    pub same_day_share: f64,
    /// Days between booking and appointment, of those booked ahead: percentiles 0 to 100.
    pub lead_days: Vec<u32>,
    /// How much more the bookings of a minute vary than a Poisson process of the hour's rate would:
    /// the variance of the minute's rate divided by the square of the hour's.
    pub minute_excess: f64,
    /// Most bookings in one minute.
    pub minute_max: u32,
    /// Appointments of a clinic over all days: quantiles, evenly spaced.
    pub clinic_appointments: Vec<u32>,
    /// Share of visits with 1, 2, … appointments; a visit is a patient's day at a clinic.
    pub appointments_per_visit: Vec<f64>,
    /// Of the second and later appointments of a visit: share booked within two minutes of the one
    /// before.
    pub same_call_share: f64,
    /// Share of patients with 1, 2, … visits.
    pub visits_per_patient: Vec<f64>,
    /// Days from one visit of a patient to the next: quantiles, evenly spaced.
    pub revisit_gap_days: Vec<u32>,
}

impl Profile {
    /// The profile that ships with the harness.
    #[must_use]
    pub fn builtin() -> Self {
        serde_json::from_str(include_str!("profile.json")).expect("a test reads profile.json")
    }

    /// As in `profile.json`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("numbers and strings only");
        json.push('\n');
        json
    }

    /// Share of all bookings by hour of the booking.
    #[must_use]
    pub fn booked_by_hour(&self) -> [f64; HOURS] {
        std::array::from_fn(|hour| {
            self.booked_same_day_by_hour[hour] * self.same_day_share
                + self.booked_ahead_by_hour[hour] * (1.0 - self.same_day_share)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::appointments::tests::shared_data;

    #[test]
    fn the_builtin_profile_is_sane() {
        let profile = Profile::builtin();
        for shares in [
            &profile.booked_same_day_by_hour[..],
            &profile.booked_ahead_by_hour,
            &profile.appointments_per_visit,
            &profile.visits_per_patient,
        ] {
            assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-4, "{shares:?}");
        }
        assert!(profile.source.contains("CC BY-NC-SA 4.0"));
        assert_eq!(profile.lead_days.len(), 101);
        assert!(profile.lead_days.is_sorted() && profile.clinic_appointments.is_sorted());
        // 17 % of all bookings between seven and eight, a third for the same day.
        assert!((profile.booked_by_hour()[7] - 0.1705).abs() < 0.001);
        assert!((profile.same_day_share - 0.322).abs() < 0.001);
        assert_eq!(profile.to_json(), include_str!("profile.json"));
    }

    /// `PUNCTUAL_UPDATE=1` rewrites the file.
    #[test]
    fn the_builtin_profile_is_the_fit_of_the_data() {
        let Some(appointments) = shared_data() else {
            return;
        };
        let fitted = fit(&appointments).to_json();
        if std::env::var_os("PUNCTUAL_UPDATE").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/day/profile.json");
            std::fs::write(path, &fitted).expect("profile.json can be written");
        } else {
            assert_eq!(fitted, include_str!("profile.json"));
        }
    }
}
