//! The flags of `loadtest run`: where to, how, and how it is judged.
//!
//! Never here: what is sent (`plan::args`).

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::objective::Written;
use super::verdict::Thresholds;
use crate::cli::plan_args::users;
use crate::engine::machine::Tolerance;
use crate::inside::Place;
use crate::inside::rules::Rule;
use crate::plan::args::{WorkArgs, duration};

/// The flags of `loadtest run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Where it is sent: http://HOST:PORT or HOST:PORT; once for each process of the service.
    #[arg(long, value_name = "URL", required = true, value_parser = target)]
    pub target: Vec<String>,
    #[command(flatten)]
    pub(super) how: HowArgs,
    #[command(flatten)]
    pub(super) inside: InsideArgs,
    #[command(flatten)]
    pub(super) work: WorkArgs,
    #[command(flatten)]
    pub(super) judged: JudgedArgs,
}

/// How it is sent.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "How it is sent")]
pub struct HowArgs {
    /// A header of every request, such as 'authorization: Bearer KEY'; not part of the plan.
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    pub header: Vec<(HeaderName, HeaderValue)>,
    /// Connections: the most requests that are under way at a time.
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = users)]
    pub connections: usize,
    /// An answer is waited for so long; what is open so long after the last intended start counts
    /// at its age, as a miss.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = duration)]
    pub timeout: Duration,
    /// Where report, logs and goose's own report are written; a folder named by the time in
    /// reports/ if not given.
    #[arg(long, value_name = "DIR")]
    pub report_dir: Option<PathBuf>,
    /// Serves goose's live dashboard on this port of 127.0.0.1 meanwhile.
    #[arg(long, value_name = "PORT")]
    pub dashboard: Option<u16>,
}

/// What the service says of itself meanwhile.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What the service says of itself")]
pub struct InsideArgs {
    /// Its metrics in Prometheus' text format, such as http://127.0.0.1:9090/metrics, asked every
    /// second; once for each process. The reminder service's are on its admin listener.
    #[arg(long, value_name = "URL")]
    pub metrics: Vec<Place>,
    /// A header that is sent with that question alone, such as 'authorization: Bearer KEY'.
    #[arg(long, value_name = "NAME: VALUE", value_parser = header, requires = "metrics")]
    pub metrics_header: Vec<(HeaderName, HeaderValue)>,
    /// A metric to show besides the usual ones: `NAME[@QUANTILE][:LABEL,…]`, such as queue_depth
    /// or request_duration_seconds@0.99:handler.
    #[arg(long, value_name = "METRIC", requires = "metrics")]
    pub metric: Vec<Rule>,
    /// The trace that each request begins (W3C traceparent): its id follows from the plan's hash
    /// and the request's place in it. `sampled` asks the service's tracing to record each of them.
    #[arg(long, value_name = "HOW", default_value = "unsampled")]
    pub traceparent: Traceparent,
}

/// Which traces requests begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Traceparent {
    /// None.
    Off,
    /// Ones that need not be recorded.
    Unsampled,
    /// Ones that are to be recorded.
    Sampled,
}

/// How it is judged.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "How it is judged")]
pub struct JudgedArgs {
    /// What requests must keep, from their intended start; all, or those of a name, for a share of
    /// them: 250ms, read_user=100ms@99.9. 500ms@99 if not given.
    #[arg(long, value_name = "[NAME=]TIME[@PERCENT]")]
    pub objective: Vec<Written>,
    /// Statuses of good answers.
    #[arg(long, value_name = "FROM-TO", default_value = "200-399", value_parser = statuses)]
    pub ok: RangeInclusive<u16>,
    /// INVALID below this share of the offered rate, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 99.5, value_parser = percent)]
    pub achieved_min: f64,
    /// INVALID when the harness itself sends later than this share of the objective at p99, in
    /// percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, value_parser = percent)]
    pub lag_max: f64,
    /// INVALID above this share of spoilt seconds, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 20.0, value_parser = percent)]
    pub spoilt_max: f64,
    /// A second with more steal than this is spoilt, in percent of all processors' time.
    #[arg(long, value_name = "PERCENT", default_value_t = 20.0, value_parser = percent)]
    pub steal_max: f64,
    /// A second in which the harness's threads together wait longer than this for a processor is
    /// spoilt, in percent of the second; each of them can wait for all of it.
    #[arg(long, value_name = "PERCENT", default_value_t = 25.0, value_parser = percent_of_one)]
    pub waiting_max: f64,
    /// A second in which the harness uses more than this of the processors it may use is spoilt,
    /// in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 90.0, value_parser = percent)]
    pub busy_max: f64,
}

impl JudgedArgs {
    pub(crate) fn thresholds(&self) -> Thresholds {
        Thresholds {
            achieved_min: self.achieved_min / 100.0,
            lag_max: self.lag_max / 100.0,
            spoilt_max: self.spoilt_max / 100.0,
            tolerance: Tolerance {
                steal_max: self.steal_max / 100.0,
                waiting_max: self.waiting_max / 100.0,
                busy_max: self.busy_max / 100.0,
            },
        }
    }
}

impl InsideArgs {
    /// Where the service is asked.
    pub(crate) fn places(&self) -> Vec<Place> {
        let headers: HeaderMap = self.metrics_header.iter().cloned().collect();
        let with_headers = |place: &Place| Place { headers: headers.clone(), ..place.clone() };
        self.metrics.iter().map(with_headers).collect()
    }
}

impl HowArgs {
    pub(super) fn headers(&self) -> HeaderMap {
        self.header.iter().cloned().collect()
    }
}

/// `host:port` of a target.
pub(crate) fn target(text: &str) -> Result<String, String> {
    if text.starts_with("https://") {
        return Err("HTTPS isn't spoken here; name the plain listener behind the proxy".to_owned());
    }
    if let Some((scheme, _)) = text.split_once("://").filter(|(scheme, _)| *scheme != "http") {
        return Err(format!("{scheme}:// isn't spoken here; write http://HOST:PORT"));
    }
    let address = text.strip_prefix("http://").unwrap_or(text);
    let address = address.strip_suffix('/').unwrap_or(address);
    if address.contains('/') {
        return Err("give host and port alone; paths are the plan's".to_owned());
    }
    let with_port = match address.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => address.to_owned(),
        _ => format!("{address}:80"),
    };
    let parsed = with_port.parse::<http::uri::Authority>();
    parsed.map(|_| with_port).map_err(|_| "write http://HOST:PORT".to_owned())
}

pub(crate) fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let usage = || "write NAME: VALUE, such as 'accept: text/html'".to_owned();
    let (name, value) = text.split_once(':').ok_or_else(usage)?;
    let name = name.trim().parse().map_err(|_| usage())?;
    let mut value = HeaderValue::from_str(value.trim()).map_err(|_| usage())?;
    value.set_sensitive(true);
    Ok((name, value))
}

fn statuses(text: &str) -> Result<RangeInclusive<u16>, String> {
    let usage = || "write statuses such as 200-399, or one such as 204".to_owned();
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.trim().parse::<u16>().map_err(|_| usage());
    let range = number(from)?..=number(to)?;
    if range.is_empty() { Err(usage()) } else { Ok(range) }
}

pub(crate) fn percent(text: &str) -> Result<f64, String> {
    up_to(100.0, text)
}

/// Of one thread's time, where there may be many.
fn percent_of_one(text: &str) -> Result<f64, String> {
    up_to(100_000.0, text)
}

fn up_to(most: f64, text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').parse() {
        Ok(percent) if (0.0..=most).contains(&percent) => Ok(percent),
        Ok(_) | Err(_) => Err(format!("write a percentage from 0 to {most}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_host_and_port() {
        for (text, address) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://localhost:8080/", "localhost:8080"),
            ("http://[::1]:8080", "[::1]:8080"),
            ("http://example", "example:80"),
        ] {
            assert_eq!(target(text).as_deref(), Ok(address));
        }
        assert!(target("https://example").is_err_and(|e| e.contains("behind the proxy")));
        assert!(target("http://example/path").is_err_and(|e| e.contains("the plan's")));
        assert!(target("ftp://example").is_err_and(|e| e.contains("http://HOST:PORT")));
        assert!(target("http://a b").is_err());
    }

    #[test]
    fn flags_that_are_wrong_say_what_to_write() {
        assert_eq!(statuses("200-204"), Ok(200..=204));
        assert_eq!(statuses("204"), Ok(204..=204));
        assert!(statuses("300-200").is_err_and(|e| e.contains("200-399")));
        assert!(header("no colon").is_err_and(|e| e.contains("NAME: VALUE")));
        assert!(percent("101").is_err() && percent("99.5%") == Ok(99.5));
        assert!(percent_of_one("250%") == Ok(250.0) && percent_of_one("-1").is_err());
    }
}
