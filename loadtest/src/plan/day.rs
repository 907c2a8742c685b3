//! The day as a source: its arrival times with its own requests or with another service's.
//!
//! Never here: the import and the practices that a replay of the reminder service needs
//! (`loadtest day`), or how a day comes about (`crate::day`).

use std::path::Path;
use std::time::Duration;

use super::at::Hours;
use super::build::{Builder, Wanted};
use super::requests::Mix;
use super::{Arrival, PlanError};
use crate::client::JSON;
use crate::day::{self, Profile, appointments};

/// Which day.
#[derive(Debug, Clone, Copy)]
pub(super) struct Day<'a> {
    /// Texts of the day; requests are a few more.
    pub(super) messages: u64,
    /// Resampled from this file, or from the built-in profile.
    pub(super) appointments: Option<&'a Path>,
    pub(super) seed: u64,
    pub(super) window: Option<Hours>,
    pub(super) warp: f64,
}

/// A day's schedule, its length, and its source in words.
pub(super) type Made = (Vec<Arrival>, Duration, String);

impl Day<'_> {
    /// The day with its own requests, or with those of a mix at its times.
    pub(super) fn make(self, builder: &mut Builder, mix: Option<&Mix>) -> Result<Made, PlanError> {
        let wrong = |error: &dyn std::fmt::Display| PlanError::Wrong(error.to_string());
        let (source, words) = match self.appointments {
            None => (
                day::Source::from_profile(Profile::builtin(), self.seed),
                "the built-in profile".to_owned(),
            ),
            Some(file) => {
                let read = appointments::read(file).map_err(|error| wrong(&error))?;
                (day::Source::from_appointments(&read), file.display().to_string())
            }
        };
        let options = day::Options {
            messages: self.messages,
            seed: self.seed,
            book: Some(0),
            ..day::Options::default()
        };
        let day = day::Plan::build(&options, &source).map_err(|error| wrong(&error))?;
        let opens_ns = i128::from(options.window_from.hour()) * 3_600_000_000_000;
        let offset = |domain_ns: u64| match self.window {
            None => Some(domain_ns),
            Some(hours) => hours.offset(opens_ns + i128::from(domain_ns)),
        };
        let kept: Vec<_> = day
            .arrivals()
            .iter()
            .filter_map(|arrival| Some((offset(arrival.intended_domain_ns)?, arrival.request)))
            .collect();
        let warped = |ns: u64| (ns as f64 / self.warp).round() as u64;
        let instants: Vec<u64> = kept.iter().map(|(offset, _)| warped(*offset)).collect();
        let arrivals = match mix {
            Some(mix) => mix.arrivals(&instants, self.seed),
            None => own(builder, &instants, kept.iter().map(|(_, request)| request))?,
        };
        let length = self.window.map_or(day.window_ns(), |hours| hours.length().as_nanos() as u64);
        let hours = self.window.map_or(String::new(), |hours| format!(" from {hours}"));
        let words = format!("a day of {} texts{hours}, by {words}", self.messages);
        Ok((arrivals, Duration::from_nanos(warped(length)), words))
    }
}

/// The day's own requests, named as the contract names their endpoints.
fn own<'a>(
    builder: &mut Builder,
    instants: &[u64],
    requests: impl Iterator<Item = &'a day::Request>,
) -> Result<Vec<Arrival>, PlanError> {
    let mut arrivals = Vec::with_capacity(instants.len());
    for (&intended_ns, request) in instants.iter().zip(requests) {
        let body = request.body();
        let headers = match body {
            Some(_) => vec![("content-type".to_owned(), JSON.to_owned())],
            None => Vec::new(),
        };
        let wanted = Wanted {
            method: Some(request.endpoint().spec().method.name().to_owned()),
            path: request.path(),
            headers,
            body: body.unwrap_or_default(),
            name: Some(request.endpoint().name().to_owned()),
        };
        let request =
            builder.request(wanted).map_err(|refused| PlanError::Wrong(refused.into()))?;
        arrivals.push(Arrival { intended_ns, request });
    }
    Ok(arrivals)
}
