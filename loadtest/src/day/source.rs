//! Where a plan's clinics and patients come from: a file of appointments, or the profile.
//!
//! Never here: how they are resampled (`plan/`).

use super::appointments::Appointments;
use super::population::Population;
use super::profile::{Profile, fit};

/// Clinics and patients to resample, with the figures that a plan needs beside them.
#[derive(Debug)]
pub struct Source {
    pub(crate) population: Population,
    pub(crate) profile: Profile,
    name: &'static str,
}

impl Source {
    /// The clinics and patients of a file.
    #[must_use]
    pub fn from_appointments(appointments: &Appointments) -> Self {
        Self {
            population: Population::from(appointments),
            profile: fit(appointments),
            name: "appointments",
        }
    }

    /// Clinics and patients made up from a profile; other seeds give other ones.
    #[must_use]
    pub fn from_profile(profile: Profile, seed: u64) -> Self {
        Self { population: Population::from_profile(&profile, seed), profile, name: "profile" }
    }

    /// `appointments` or `profile`, for reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The figures behind the source.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }
}
