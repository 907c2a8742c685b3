//! The flags that say what is sent, and the plan made of them.
//!
//! Never here: where it is sent to, or how it is judged (`run`).

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use jiff::SignedDuration;

use super::at::{Hours, Timing};
use super::build::{Builder, Wanted};
use super::day::Day;
use super::requests::Mix;
use super::routes::Routes;
use super::{About, Plan, PlanError, access_log, arrivals, at, trace};
use crate::exit::Failure;
use crate::report::units::count;

/// One of them is given.
const SOURCES: [&str; 4] = ["rate", "trace", "access_log", "day"];

/// What is sent.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What is sent")]
#[command(group = ArgGroup::new("source").required(true).args(SOURCES))]
pub struct WorkArgs {
    /// Requests a second: 1000 (constant), 100..2000 (a ramp) or 100,200,400 (steps of equal
    /// length).
    #[arg(long, value_name = "RATE")]
    pub rate: Option<String>,
    /// How long a rate lasts, such as 30s or 5m.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration,
        conflicts_with_all = ["trace", "access_log", "day"])]
    pub duration: Duration,
    /// Requests of a rate arrive by chance (a Poisson process) instead of evenly.
    #[arg(long, conflicts_with_all = ["trace", "access_log", "day"])]
    pub poisson: bool,
    /// A trace: CSV or NDJSON with t, method, path, body?, headers?, name?; also .gz.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// An access log, combined or JSON, also .gz; what only reads is sent again, without bodies.
    #[arg(long, value_name = "FILE")]
    pub access_log: Option<PathBuf>,
    /// Sends an access log's writes as well, with empty bodies.
    #[arg(long, conflicts_with_all = ["rate", "trace", "day"])]
    pub all_methods: bool,
    /// Puts a trace in order whose times aren't.
    #[arg(long, conflicts_with_all = ["rate", "access_log", "day"])]
    pub sort: bool,
    /// A day of the reminder service with so many texts, its own requests or (with --path or
    /// --requests) others at its times.
    #[arg(long, value_name = "TEXTS", num_args = 0..=1, default_missing_value = "20000")]
    pub day: Option<u64>,
    /// Appointments that the day is resampled from; else the built-in profile.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "trace", "access_log"])]
    pub appointments: Option<PathBuf>,
    /// Compresses the times of a trace, a log or a day: 60 sends an hour in a minute.
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = warp,
        conflicts_with = "rate")]
    pub warp: f64,
    /// Sends only these hours of a trace, a log or a day, such as 09:00-10:00.
    #[arg(long, value_name = "FROM-UNTIL", conflicts_with = "rate")]
    pub window: Option<Hours>,
    /// Names for requests: lines of METHOD TEMPLATE NAME, such as GET /users/{id} read_user.
    #[arg(long, value_name = "FILE")]
    pub routes: Option<PathBuf>,
    /// Requests to draw from, NDJSON with method, path, body?, headers?, name?, weight?.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["trace", "access_log", "path"])]
    pub requests: Option<PathBuf>,
    /// The path of the one request that is sent at a rate; / if not given.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["trace", "access_log"])]
    pub path: Option<String>,
    /// Its method; POST if it has a body.
    #[arg(long, value_name = "METHOD", conflicts_with_all = ["trace", "access_log", "requests"])]
    pub method: Option<String>,
    /// Its body.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["trace", "access_log", "requests"])]
    pub body: Option<String>,
    /// Decides all that is left to chance: the same seed gives the same plan.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

impl WorkArgs {
    /// Makes the plan.
    ///
    /// # Errors
    /// When a file or a flag can't be used; each is one line.
    pub fn plan(&self) -> Result<Plan, PlanError> {
        let routes = self.routes.as_deref().map(Routes::read).transpose()?.unwrap_or_default();
        let mut builder = Builder::new(routes);
        match (&self.rate, &self.trace, &self.access_log, self.day) {
            (Some(rate), ..) => self.of_rate(rate, builder),
            (_, Some(file), ..) => {
                let rows = trace::read(file, &mut builder)?;
                self.of_rows(file, rows, Vec::new(), builder, false)
            }
            (_, _, Some(file), _) => {
                let (rows, notes) = access_log::read(file, &mut builder, self.all_methods)?;
                self.of_rows(file, rows, notes, builder, true)
            }
            (.., Some(messages)) => self.of_day(messages, builder),
            (None, None, None, None) => Err(PlanError::Wrong(
                "give one of --rate, --trace, --access-log and --day".to_owned(),
            )),
        }
    }

    /// The same on a thread of its own: reading a long trace takes some seconds of one core.
    ///
    /// # Errors
    /// When a file or a flag can't be used; each is one line.
    pub async fn plan_apart(&self) -> Result<Plan, Failure> {
        let work = self.clone();
        let plan = tokio::task::spawn_blocking(move || work.plan()).await;
        let plan = plan.map_err(|error| Failure::Unavailable(error.to_string()))?;
        plan.map_err(|error| Failure::Usage(error.to_string()))
    }

    fn of_rate(&self, rate: &str, mut builder: Builder) -> Result<Plan, PlanError> {
        let mix = self.mix(&mut builder)?;
        let segments = arrivals::segments(rate, self.duration)
            .map_err(|what| PlanError::Wrong(format!("--rate {what}")))?;
        let (instants, how) = if self.poisson {
            (arrivals::poisson(&segments, self.seed), "by chance (Poisson)")
        } else {
            (arrivals::even(&segments), "evenly")
        };
        let source = format!("{rate} a second for {:?}, {how}", self.duration);
        let drawn = self.poisson || self.requests.is_some();
        let about = About { source, seed: drawn.then_some(self.seed), notes: Vec::new() };
        builder.plan(mix.arrivals(&instants, self.seed), self.duration, about)
    }

    fn of_rows(
        &self,
        file: &std::path::Path,
        rows: Vec<at::Timed>,
        mut notes: Vec<String>,
        builder: Builder,
        is_log: bool,
    ) -> Result<Plan, PlanError> {
        let all = rows.len() as u64;
        let timing = Timing {
            window: self.window,
            warp: self.warp,
            // A log is written as requests end, so it is out of order by nature.
            sort: self.sort || is_log,
            spread: is_log,
        };
        let (arrivals, span, more) = at::timeline(file, rows, timing)?;
        notes.extend(more);
        let source = format!("{}: {} requests{}", file.display(), count(all), self.warped());
        builder.plan(arrivals, span, About { source, seed: None, notes })
    }

    fn of_day(&self, messages: u64, mut builder: Builder) -> Result<Plan, PlanError> {
        let others = self.path.is_some() || self.requests.is_some();
        if let Some(flag) = self.of_others_alone().filter(|_| !others) {
            return Err(PlanError::Wrong(format!(
                "{flag} does nothing to a day's own requests; give --path or --requests with it"
            )));
        }
        let mix = others.then(|| self.mix(&mut builder)).transpose()?;
        let day = Day {
            messages,
            appointments: self.appointments.as_deref(),
            seed: self.seed,
            window: self.window,
            warp: self.warp,
        };
        let (arrivals, span, source) = day.make(&mut builder, mix.as_ref())?;
        let source = format!("{source}{}", self.warped());
        builder.plan(arrivals, span, About { source, seed: Some(self.seed), notes: Vec::new() })
    }

    /// A flag that says something of requests that aren't the day's own.
    fn of_others_alone(&self) -> Option<&'static str> {
        let given = [
            ("--method", self.method.is_some()),
            ("--body", self.body.is_some()),
            ("--routes", self.routes.is_some()),
        ];
        given.into_iter().find(|(_, is_given)| *is_given).map(|(flag, _)| flag)
    }

    fn mix(&self, builder: &mut Builder) -> Result<Mix, PlanError> {
        if let Some(file) = &self.requests {
            return Mix::read(builder, file);
        }
        let method = match (&self.method, &self.body) {
            (Some(method), _) => Some(method.clone()),
            (None, Some(_)) => Some("POST".to_owned()),
            (None, None) => None,
        };
        let wanted = Wanted {
            method,
            path: self.path.clone().unwrap_or_else(|| "/".to_owned()),
            body: self.body.clone().unwrap_or_default().into_bytes(),
            ..Wanted::default()
        };
        Mix::one(builder, wanted)
    }

    fn warped(&self) -> String {
        if self.warp == 1.0 { String::new() } else { format!(", {} times as fast", self.warp) }
    }
}

/// A positive time such as 250ms, 30s or 5m.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().ok();
    let positive = parsed.and_then(|duration| Duration::try_from(duration).ok());
    positive
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "write a time such as 250ms, 30s or 5m".to_owned())
}

fn warp(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(warp) if (1e-3..=1e6).contains(&warp) => Ok(warp),
        Ok(_) | Err(_) => Err("write a number above 0, such as 60".to_owned()),
    }
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
