//! The flags of `loadtest capacity`.
//!
//! Never here: what is done with them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, Args};

use super::search::Search;
use super::step::Limits;
use crate::demo::StackArgs;
use crate::plan::args::{WorkArgs, duration};
use crate::run::args::{HowArgs, InsideArgs, JudgedArgs, percent, target};

/// What is for any service alone: the reminder service's own stack has objectives, keys and metrics
/// of its own, and only steal spoils a step there.
const OF_OTHERS: [&str; 14] = [
    "header",
    "timeout",
    "metrics",
    "metrics_header",
    "metric",
    "traceparent",
    "objective",
    "ok",
    "lag_max",
    "steal_max",
    "waiting_max",
    "busy_max",
    "backlog",
    "requests_per_message",
];
/// What is for that stack alone.
const OF_OWN: [&str; 8] = [
    "punctual",
    "processes",
    "shards",
    "no_faults",
    "prometheus",
    "no_prometheus",
    "keep",
    "retention_days",
];

/// What is for a search alone, and does nothing where the pools are swept at a rate that is given.
const OF_SEARCHES: [&str; 15] = [
    "target",
    "no_pools",
    "start",
    "most",
    "step",
    "within",
    "repeats",
    "confidence",
    "errors_max",
    "achieved_min",
    "at_least",
    "messages",
    "retention_days",
    "price",
    "provider_rate",
];

/// Refuses a flag that would do nothing.
fn fitting(arg: Arg) -> Arg {
    let name = arg.get_id().to_string();
    if OF_OTHERS.contains(&name.as_str()) {
        arg.requires("target")
    } else if OF_OWN.contains(&name.as_str()) {
        arg.conflicts_with("target")
    } else {
        arg
    }
}

/// The flags of `loadtest capacity`.
#[derive(Debug, Clone, Args)]
#[command(mut_args(fitting))]
pub struct CapacityArgs {
    /// Whose capacity: http://HOST:PORT or HOST:PORT; once for each process of the service. Without
    /// it, the reminder service's, on a stack that is started for it; rates are texts a second
    /// then.
    #[arg(long, value_name = "URL", value_parser = target)]
    pub target: Vec<String>,
    #[command(flatten)]
    pub(super) search: SearchArgs,
    #[command(flatten)]
    pub(super) work: MixArgs,
    #[command(flatten)]
    pub(super) how: HowArgs,
    #[command(flatten)]
    pub(super) inside: InsideArgs,
    #[command(flatten)]
    pub(super) judged: JudgedArgs,
    #[command(flatten)]
    pub(super) planner: PlannerArgs,
    #[command(flatten)]
    pub(super) sweep: PoolsArgs,
    #[command(flatten)]
    pub(super) stack: StackArgs,
}

/// Which rates are tried.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Which rates are tried")]
pub(super) struct SearchArgs {
    /// The first rate, in requests a second; it is doubled until it is too much.
    #[arg(long, value_name = "RATE", default_value_t = 50.0, value_parser = rate)]
    pub(super) start: f64,
    /// No rate is above this.
    #[arg(long, value_name = "RATE", default_value_t = 20_000.0, value_parser = rate)]
    pub(super) most: f64,
    /// How long each rate is tried; longer where a kind of request would come too seldom to tell.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration)]
    pub(super) step: Duration,
    /// The edge is found when the lowest rate that failed is at most so much above the highest that
    /// passed, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, value_parser = percent)]
    pub(super) within: f64,
    /// How often each rate around the edge is tried in the end.
    #[arg(long, value_name = "N", default_value_t = 3,
        value_parser = clap::value_parser!(u32).range(0..=50))]
    pub(super) repeats: u32,
    /// How sure it must be that an objective is met, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 95.0, value_parser = confidence)]
    pub(super) confidence: f64,
    /// Requests that may fail, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.1, value_parser = percent)]
    pub(super) errors_max: f64,
    /// A gauge of work that waits, from the service's metrics: NAME[:LABEL,…]. It must not grow.
    /// pending_messages:stage, where the service has that, if not given.
    #[arg(long, value_name = "METRIC", requires = "metrics")]
    pub(super) backlog: Option<String>,
    /// FAIL when less than this rate passes.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(super) at_least: Option<f64>,
}

/// What is sent at each rate.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What is sent")]
pub(super) struct MixArgs {
    /// Requests to draw from, NDJSON with method, path, body?, headers?, name?, weight?.
    #[arg(long, value_name = "FILE", conflicts_with = "path", requires = "target")]
    requests: Option<PathBuf>,
    /// The path of the one request that is sent; / if not given.
    #[arg(long, value_name = "PATH", requires = "target")]
    path: Option<String>,
    /// Its method; POST if it has a body.
    #[arg(long, value_name = "METHOD", conflicts_with = "requests", requires = "target")]
    method: Option<String>,
    /// Its body.
    #[arg(long, value_name = "TEXT", conflicts_with = "requests", requires = "target")]
    body: Option<String>,
    /// Names for requests: lines of METHOD TEMPLATE NAME, such as GET /users/{id} read_user.
    #[arg(long, value_name = "FILE", requires = "target")]
    routes: Option<PathBuf>,
    /// Requests arrive evenly instead of by chance (a Poisson process).
    #[arg(long, requires = "target")]
    even: bool,
    /// Decides all that is left to chance.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
}

/// What whoever plans wants to know.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "For the planner")]
pub(super) struct PlannerArgs {
    /// Requests that one message needs, where a service is given.
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = rate)]
    pub(super) requests_per_message: f64,
    /// A day of so many messages: would it be carried?
    #[arg(long, value_name = "N", value_parser = number)]
    pub(super) messages: Option<u64>,
    /// How long what is written is kept, for the disk: the service keeps promises this long.
    #[arg(long, value_name = "DAYS", default_value_t = 400,
        value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(super) retention_days: u32,
    /// The price of one message, in any currency.
    #[arg(long, value_name = "PRICE", value_parser = price)]
    pub(super) price: Option<f64>,
    /// Messages that the provider takes a second.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(super) provider_rate: Option<f64>,
    /// Within so many hours of its own a message must have left; until its practice closes if not
    /// given, by the built-in day.
    #[arg(long, value_name = "HOURS", requires = "provider_rate",
        value_parser = clap::value_parser!(u8).range(1..=24))]
    pub(super) sending_window: Option<u8>,
}

/// The sweep of the service's pools of connections.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The sweep of pools, on the service's own stack")]
pub(super) struct PoolsArgs {
    /// How long each step of the sweep is: a day of the swept rate at other sizes of the pools and
    /// with other numbers of workers.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration,
        conflicts_with = "target")]
    pub(super) pools: Duration,
    /// No sweep of pools.
    #[arg(long, conflicts_with_all = ["pools", "target"])]
    pub(super) no_pools: bool,
    /// Sweeps the pools at this rate and searches for nothing; else four fifths of the highest rate
    /// that passed are swept.
    #[arg(long, value_name = "RATE", value_parser = rate,
        conflicts_with_all = OF_SEARCHES)]
    pub(super) pools_at: Option<f64>,
    /// No more steps of the sweep than this, besides the one with what is set by default.
    #[arg(long, value_name = "N", conflicts_with_all = ["no_pools", "target"],
        value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(super) pools_steps: Option<u32>,
}

/// The reminder service's own.
const BACKLOG: &str = "pending_messages:stage";

impl SearchArgs {
    /// The gauge that must not grow.
    pub(super) fn backlog(&self) -> &str {
        self.backlog.as_deref().unwrap_or(BACKLOG)
    }

    pub(super) fn search(&self, seed: u64) -> Search {
        Search {
            start: self.start.min(self.most),
            most: self.most,
            within: 1.0 + self.within / 100.0,
            repeats: self.repeats,
            seed,
        }
    }

    pub(super) fn limits(&self, judged: &JudgedArgs) -> Limits {
        Limits {
            confidence: self.confidence / 100.0,
            errors_max: self.errors_max / 100.0,
            achieved_min: (judged.achieved_min / 100.0).min(ACHIEVED_MIN),
        }
    }
}

/// What a capacity is asked for at the most: arrivals by chance scatter by themselves.
const ACHIEVED_MIN: f64 = 0.99;

impl MixArgs {
    /// The plan's flags at a rate.
    pub(super) fn work(&self, rate: f64, duration: Duration) -> WorkArgs {
        let Self { requests, path, method, body, routes, even, seed } = self.clone();
        WorkArgs {
            rate: Some(rate.to_string()),
            duration,
            poisson: !even,
            trace: None,
            access_log: None,
            all_methods: false,
            sort: false,
            day: None,
            appointments: None,
            warp: 1.0,
            window: None,
            routes,
            requests,
            path,
            method,
            body,
            seed,
        }
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.replace('_', "").parse() {
        Ok(rate) if (0.001..=1e7).contains(&rate) => Ok(rate),
        Ok(_) | Err(_) => Err("write a number above 0, such as 500".to_owned()),
    }
}

/// With none everything would pass, with all of it nothing could.
fn confidence(text: &str) -> Result<f64, String> {
    let sure = percent(text).ok().filter(|percent| (50.0..=99.99).contains(percent));
    sure.ok_or_else(|| "write a percentage from 50 to 99.99".to_owned())
}

fn number(text: &str) -> Result<u64, String> {
    text.replace(['_', ','], "").parse().map_err(|_| "write a number, such as 5_000_000".to_owned())
}

fn price(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(price) if (0.0..=1e6).contains(&price) => Ok(price),
        Ok(_) | Err(_) => Err("write a price such as 0.0075".to_owned()),
    }
}

/// What these flags are taken for.
#[cfg(test)]
pub(super) fn parsed(flags: &[&str]) -> Result<CapacityArgs, String> {
    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: CapacityArgs,
    }
    let line = <Line as clap::Parser>::try_parse_from(["capacity"].iter().chain(flags));
    line.map(|line| line.args).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(flags: &[&str]) -> Option<String> {
        parsed(flags).err()
    }

    #[test]
    fn a_flag_that_would_do_nothing_is_refused() {
        let any = ["--target", "127.0.0.1:1"];
        assert_eq!(refused(&[]), None);
        assert_eq!(refused(&any), None);
        for (flag, value) in [
            ("--objective", "9ms"),
            ("--ok", "200"),
            ("--header", "a: b"),
            ("--timeout", "1s"),
            ("--metrics", "http://127.0.0.1:1/metrics"),
            ("--busy-max", "50"),
            ("--path", "/a"),
        ] {
            let error = refused(&[flag, value]).unwrap_or_default();
            assert!(error.contains("not provided") && error.contains("--target"), "{flag} {error}");
            assert_eq!(refused(&[&any[..], &[flag, value]].concat()), None);
        }
        for (flag, value) in [("--shards", "4"), ("--retention-days", "9")] {
            let error = refused(&[&any[..], &[flag, value]].concat()).unwrap_or_default();
            assert!(error.contains("cannot be used with"), "{flag} {error}");
            assert_eq!(refused(&[flag, value]), None);
        }
        // A backlog is one of the metrics.
        let backlog = [&any[..], &["--backlog", "queue"]].concat();
        let error = refused(&backlog).unwrap_or_default();
        assert!(error.contains("not provided") && error.contains("--metrics"), "{error}");
        assert!(refused(&["--backlog", "queue"]).is_some());
        assert_eq!(refused(&[&backlog[..], &["--metrics", "127.0.0.1:1"]].concat()), None);
        assert!(refused(&["--sending-window", "3"]).is_some());
        assert_eq!(refused(&["--sending-window", "3", "--provider-rate", "9"]), None);
    }

    #[test]
    fn what_only_a_search_needs_is_refused_where_nothing_is_searched() {
        let swept = ["--pools-at", "60"];
        assert_eq!(refused(&swept), None);
        for (flag, value) in [
            ("--start", "9"),
            ("--most", "9"),
            ("--step", "9s"),
            ("--within", "9"),
            ("--repeats", "9"),
            ("--confidence", "90"),
            ("--errors-max", "9"),
            ("--achieved-min", "9"),
            ("--at-least", "9"),
            ("--messages", "9"),
            ("--retention-days", "9"),
            ("--price", "9"),
            ("--provider-rate", "9"),
        ] {
            let error = refused(&[&swept[..], &[flag, value]].concat()).unwrap_or_default();
            assert!(error.contains("cannot be used with"), "{flag} {error}");
            assert_eq!(refused(&[flag, value]), None);
        }
        assert_eq!(
            refused(&[&swept[..], &["--spoilt-max", "100", "--pools", "3s"]].concat()),
            None
        );
    }

    #[test]
    fn nothing_is_shown_without_confidence_or_with_all_of_it() {
        for wrong in ["0", "49", "100", "99.995", "much"] {
            let error = refused(&["--confidence", wrong]).unwrap_or_default();
            assert!(error.contains("from 50 to 99.99"), "{wrong} {error}");
        }
        for right in ["50", "99.99", "95"] {
            assert_eq!(refused(&["--confidence", right]), None);
        }
    }

    #[test]
    fn numbers_may_have_their_separators() {
        assert_eq!(number("5_000_000"), Ok(5_000_000));
        assert_eq!(number("5,000,000"), Ok(5_000_000));
        assert!(number("many").is_err() && rate("0").is_err() && price("-1").is_err());
        assert_eq!(rate("1_000.5"), Ok(1_000.5));
    }
}
