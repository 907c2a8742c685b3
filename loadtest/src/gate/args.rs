//! The flags of `loadtest gate`.
//!
//! Never here: what is done with them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::judge::{QUANTILES, Rules};
use crate::exit::Failure;
use crate::plan::args::{WorkArgs, duration};
use crate::report::units::clock;
use crate::run::args::{JudgedArgs, header};

/// From starting both sides to the first pair: two servers, a schema, an import.
pub(super) const STARTUP: Duration = Duration::from_secs(45);
/// No duet is longer unless it is asked for: intervals narrow with the root of the time.
const LENGTH_MAX: Duration = Duration::from_secs(240);
/// A shorter one has too few windows to say anything.
const LENGTH_MIN: Duration = Duration::from_secs(5);
/// What is for any other service alone: the reminder service has work, keys and objectives of its
/// own.
const OF_OTHERS: [&str; 19] = [
    "rate",
    "duration",
    "poisson",
    "trace",
    "access_log",
    "all_methods",
    "sort",
    "day",
    "appointments",
    "warp",
    "window",
    "routes",
    "requests",
    "path",
    "method",
    "body",
    "header",
    "objective",
    "ok",
];

/// The flags of `loadtest gate`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("bases").required(true).args(["base", "base_start"]))]
// The reminder service has work of its own.
#[command(mut_group("source", |group| group.required(false)))]
pub struct GateArgs {
    #[command(flatten)]
    pub(super) sides: SidesArgs,
    #[command(flatten)]
    pub(super) duet: DuetArgs,
    #[command(flatten)]
    pub(super) told: ToldArgs,
    #[command(flatten)]
    pub(super) work: WorkArgs,
    #[command(flatten)]
    pub(super) judged: JudgedArgs,
}

/// What is compared.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What is compared")]
pub struct SidesArgs {
    /// The reminder service as it was: a revision of this repository, which is built, or a binary.
    #[arg(long, value_name = "REV|BINARY", requires = "head", conflicts_with = "base_start",
        conflicts_with_all = OF_OTHERS)]
    pub(super) base: Option<String>,
    /// The reminder service as it is to be: a revision or a binary.
    #[arg(long, value_name = "REV|BINARY", requires = "base")]
    pub(super) head: Option<String>,
    /// Any other service as it was: what `sh` is to run. {port} stands for the port, which PORT in
    /// its environment says as well.
    #[arg(long, value_name = "COMMAND", requires = "head_start")]
    pub(super) base_start: Option<String>,
    /// The same as it is to be.
    #[arg(long, value_name = "COMMAND", requires = "base_start")]
    pub(super) head_start: Option<String>,
    /// Run before base is started, to bring what it stores into a known state.
    #[arg(long, value_name = "COMMAND", requires = "base_start")]
    pub(super) base_reset: Option<String>,
    /// Run before head is started.
    #[arg(long, value_name = "COMMAND", requires = "base_start")]
    pub(super) head_reset: Option<String>,
    /// Answered 2xx or 3xx by a side that is ready.
    #[arg(long, value_name = "PATH", default_value = "/", requires = "base_start",
        value_parser = health)]
    pub(super) health: http::Uri,
    /// In base's environment alone. Reports name the variable and don't show its value.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub(super) base_env: Vec<(String, String)>,
    /// In head's environment alone; reports name it in the same way.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub(super) head_env: Vec<(String, String)>,
    /// Where revisions are built and binaries are kept; else in the user's cache.
    #[arg(long, value_name = "DIR", conflicts_with = "base_start")]
    pub(super) build_dir: Option<PathBuf>,
}

/// How the duets are played.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The duets")]
pub struct DuetArgs {
    /// Most time for all of it, building apart.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub(super) budget: Duration,
    /// How long each of the two duets is; what the budget has room for, 4 minutes at most, if not
    /// given. Of another service the plan's own length.
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "base_start")]
    pub(super) length: Option<Duration>,
    /// Pairs of requests a second to the reminder service.
    #[arg(long, value_name = "RATE", default_value_t = 60.0, value_parser = pairs,
        conflicts_with = "base_start")]
    pub(super) pairs: f64,
    /// Most pairs that are under way at a time; each has a connection to either side.
    #[arg(long, value_name = "N", default_value_t = 64,
        value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(super) connections: u16,
    /// An answer is waited for so long.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = duration)]
    pub(super) timeout: Duration,
    /// A header of every request to another service, such as 'authorization: Bearer KEY'.
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    pub(super) header: Vec<(HeaderName, HeaderValue)>,
    /// Of all intervals, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 95.0, value_parser = confidence)]
    pub(super) confidence: f64,
    /// The least change of a median that matters, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = effect)]
    pub(super) effect_p50: f64,
    /// The same of a 90th percentile.
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, value_parser = effect)]
    pub(super) effect_p90: f64,
    /// The same of a 99th percentile.
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, value_parser = effect)]
    pub(super) effect_p99: f64,
    /// Instead of judging once: so many times base against itself, and, if head differs, as often
    /// against head. Prints how often each was red, with exact intervals.
    #[arg(long, value_name = "N", conflicts_with = "history",
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) aa: Option<u32>,
}

/// Where it is told.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The report")]
pub struct ToldArgs {
    /// Where the report is written; a folder named by the time in reports/ if not given.
    #[arg(long, value_name = "DIR")]
    pub(super) report_dir: Option<PathBuf>,
    /// Appends the ratios to this file, for change-point detection.
    #[arg(long, value_name = "FILE")]
    pub(super) history: Option<PathBuf>,
}

impl GateArgs {
    /// By what is judged.
    pub(super) fn rules(&self) -> Rules {
        let DuetArgs { confidence, effect_p50, effect_p90, effect_p99, .. } = self.duet;
        const { assert!(QUANTILES.len() == 3, "each has its flag") };
        Rules {
            confidence: confidence / 100.0,
            effect_min: [effect_p50, effect_p90, effect_p99].map(|percent| percent / 100.0),
            thresholds: self.judged.thresholds(),
        }
    }

    pub(super) fn headers(&self) -> HeaderMap {
        self.duet.header.iter().cloned().collect()
    }
}

impl DuetArgs {
    /// How long each of two duets may be.
    pub(super) fn length(&self) -> Result<Duration, Failure> {
        let room = (self.budget / 2).saturating_sub(STARTUP);
        let length = self.length.unwrap_or(room.min(LENGTH_MAX));
        if length > room || length < LENGTH_MIN {
            return Err(Failure::Usage(format!(
                "a budget of {} has room for two duets of {} at most, each of {} at least, with {} \
                 to start both sides; give another --length or --budget",
                clock(self.budget),
                clock(room),
                clock(LENGTH_MIN),
                clock(STARTUP)
            )));
        }
        Ok(length)
    }
}

/// A variable of an environment.
pub(crate) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("write NAME=VALUE".to_owned()),
    }
}

fn health(text: &str) -> Result<http::Uri, String> {
    let path = text.parse().ok().filter(|_| text.starts_with('/'));
    path.ok_or_else(|| "write a path that begins with a slash, such as /healthz".to_owned())
}

fn pairs(text: &str) -> Result<f64, String> {
    within(text, 1.0, 10_000.0).ok_or_else(|| "write a rate a second from 1 to 10000".to_owned())
}

fn confidence(text: &str) -> Result<f64, String> {
    within(text, 50.0, 99.99).ok_or_else(|| "write a percentage from 50 to 99.99".to_owned())
}

fn effect(text: &str) -> Result<f64, String> {
    within(text, 0.1, 1_000.0).ok_or_else(|| "write a percentage from 0.1 to 1000".to_owned())
}

fn within(text: &str, least: f64, most: f64) -> Option<f64> {
    let number = text.trim_end_matches('%').parse().ok()?;
    (least..=most).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: GateArgs,
    }

    fn parsed(flags: &[&str]) -> Result<GateArgs, String> {
        let flags = ["gate"].iter().chain(flags);
        Line::try_parse_from(flags).map(|line| line.args).map_err(|error| error.to_string())
    }

    #[test]
    fn two_duets_fit_into_the_budget_and_are_told_otherwise() {
        let length = |flags: &[&str]| {
            let both = ["--base", "main", "--head", "HEAD"];
            parsed(&[&both[..], flags].concat()).unwrap().duet.length()
        };
        assert_eq!(length(&[]).unwrap(), Duration::from_secs(240));
        assert_eq!(length(&["--budget", "5m"]).unwrap(), Duration::from_secs(105));
        assert_eq!(length(&["--length", "30s"]).unwrap(), Duration::from_secs(30));
        let error = length(&["--budget", "2m", "--length", "30s"]).unwrap_err().to_string();
        assert!(error.contains("2:00 has room for two duets of 0:15 at most"), "{error}");
        assert!(length(&["--budget", "30s"]).is_err());
    }

    #[test]
    fn both_sides_are_needed_and_of_one_kind() {
        for flags in [
            &[][..],
            &["--base", "a"],
            &["--base-start", "x"],
            &["--base", "a", "--head", "b", "--base-start", "x", "--head-start", "y"],
            &["--base", "a", "--head", "b", "--head-reset", "x"],
        ] {
            assert!(parsed(flags).is_err(), "{flags:?}");
        }
        let others = ["--base-start", "x", "--head-start", "y", "--rate", "100"];
        assert!(parsed(&others).is_ok());
        for health in ["no slash", "/a b", "http://host/a"] {
            let error = parsed(&[&others[..], &["--health", health]].concat()).unwrap_err();
            assert!(error.contains("begins with a slash, such as /healthz"), "{error}");
        }
    }

    #[test]
    fn a_flag_that_would_do_nothing_is_refused() {
        let refused = |flags: &[&str], flag: &str| {
            let error = parsed(flags).unwrap_err();
            assert!(error.contains("cannot be used with") && error.contains(flag), "{error}");
        };
        let ours = ["--base", "a", "--head", "b"];
        refused(&[&ours[..], &["--rate", "100"]].concat(), "--rate");
        refused(&[&ours[..], &["--path", "/healthz"]].concat(), "--path");
        refused(&[&ours[..], &["--header", "a: b"]].concat(), "--header");
        refused(&[&ours[..], &["--objective", "9ms"]].concat(), "--objective");
        refused(&[&ours[..], &["--ok", "200"]].concat(), "--ok");
        let others = ["--base-start", "x", "--head-start", "y", "--rate", "100"];
        refused(&[&others[..], &["--pairs", "9"]].concat(), "--pairs");
        refused(&[&others[..], &["--length", "30s"]].concat(), "--length");
        refused(&[&others[..], &["--build-dir", "d"]].concat(), "--build-dir");
        refused(&[&ours[..], &["--aa", "3", "--history", "f.csv"]].concat(), "--history");
        assert!(parsed(&[&ours[..], &["--aa", "3", "--build-dir", "d"]].concat()).is_ok());
        assert!(parsed(&[&ours[..], &["--seed", "3", "--pairs", "9"]].concat()).is_ok());
    }

    #[test]
    fn all_that_says_what_is_sent_is_for_other_services_but_the_seed() {
        let of_work = WorkArgs::augment_args(clap::Command::new("work"));
        for flag in of_work.get_arguments().map(|flag| flag.get_id().as_str()) {
            assert_eq!(OF_OTHERS.contains(&flag), flag != "seed", "{flag}");
        }
    }

    #[test]
    fn rules_are_ratios() {
        let flags = ["--base", "a", "--head", "b", "--effect-p50", "2", "--confidence", "99%"];
        let rules = parsed(&flags).unwrap().rules();
        assert_eq!((rules.confidence, rules.effect_min), (0.99, [0.02, 0.10, 0.10]));
        let wrong = parsed(&["--base", "a", "--head", "b", "--head-env", "=x"]).unwrap_err();
        assert!(wrong.contains("NAME=VALUE"), "{wrong}");
    }
}
