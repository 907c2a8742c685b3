//! `alerts/creep.rules.yaml`: what gets slower week by week, weeks before it is too slow.
//!
//! Belongs here: the three gates, and what they are applied to. Never here: what is too slow now
//! (`burn`). The figures that the gates were measured with are in `docs/alerts.md`.

use contract::{Endpoint, Family, RequestOutcome};

use super::model::{Alert, Board, Group, Record, Rule, RuleFile, Severity, lines};
use super::objective::Kind;

pub(super) const ALERT: &str = "PunctualLatencyCreeps";

/// Which points of the distribution are watched: the 95th percentile is steady, and the 99th is
/// the one that the objectives are about.
const QUANTILES: [&str; 2] = ["0.95", "0.99"];

/// A day needs this many events: ten lie above the 99th percentile then.
const EVENTS_MIN: u32 = 1_000;

pub(super) fn rules() -> RuleFile {
    let mut hourly = vec![events()];
    hourly.extend(QUANTILES.map(quantile));
    let ln = Record::new(LN, format!("ln({HOURLY})"));
    hourly.push(ln.why("What gets slower by a factor is a line in logarithms.").into());
    RuleFile {
        name: "creep",
        about: "What gets slower week by week, weeks before it is too slow.",
        groups: vec![
            // Whole days are looked at; a day of 20,000 buckets is read once an hour. A sample is
            // seen for five minutes, so these are only for windows to look at.
            Group { name: "punctual_creep_hourly", interval: "1h", rules: hourly },
            Group {
                name: "punctual_creep",
                interval: "2m",
                rules: vec![newest(), eta(), creeps().into()],
            },
        ],
    }
}

/// The histograms of a kind of path, each of its own rows. Answers that were no success are another
/// distribution, and those that are streamed are judged by their first byte.
fn histograms(kind: Kind) -> Vec<(Family, String)> {
    match kind {
        Kind::Endpoint => {
            let ok = RequestOutcome::Ok.name();
            let streams: Vec<&str> = Endpoint::that_stream().map(Endpoint::name).collect();
            let streams = streams.join("|");
            let whole = format!("{{outcome=\"{ok}\",http_route!~\"{streams}\"}}");
            let first_byte = (Family::HttpServerTimeToFirstByte, String::new());
            vec![(Family::HttpServerRequestDuration, whole), first_byte]
        }
        Kind::Journey => vec![(Family::JourneyDuration, String::new())],
        Kind::Stage => vec![(Family::StageLateness, String::new())],
    }
}

/// What happens to a part of a kind's histograms within a day.
fn within_a_day(kind: Kind, part: &str, how: &str) -> String {
    let each = |(family, of): (Family, String)| format!("{how}({}{part}{of}[1d])", family.name());
    histograms(kind).into_iter().map(each).collect::<Vec<_>>().join(" or ")
}

fn events() -> Rule {
    let each = |kind: Kind| {
        format!("sum by (job, {}) ({})", kind.label(), within_a_day(kind, "_count", "increase"))
    };
    Record::new(EVENTS, Kind::ALL.map(each).join("\nor\n"))
        .why("Events of a day, to leave out days that say nothing: a closed weekend.")
        .into()
}

fn quantile(quantile: &'static str) -> Rule {
    let each = |kind: Kind| {
        let (buckets, label) = (within_a_day(kind, "_bucket", "rate"), kind.label());
        format!("histogram_quantile({quantile}, sum by (job, {label}, le) ({buckets}))")
    };
    let expr = lines([
        format!("({})", Kind::ALL.map(each).join("\nor\n")),
        format!("and {EVENTS} >= {EVENTS_MIN}"),
    ]);
    Record::new(HOURLY, expr)
        .label("quantile", quantile)
        .why(
            "Over a whole day's events, so that hours weigh what they carry. Between the buckets' \
             bounds it is interpolated: it moves in steps only where a distribution is narrower \
             than a bucket, and then the step itself is within the objective's bound.",
        )
        .into()
}

/// What it is held against. Labels are those of the quantiles but the quantile's own.
fn threshold() -> String {
    let family = Family::SloLatencyThreshold.name();
    format!("max by (job, http_route, journey, stage) ({family})")
}

/// As they are computed, once an hour.
const EVENTS: &str = "path:latency_hourly:events1d";
const HOURLY: &str = "path:latency_hourly:quantile1d";
const LN: &str = "path:latency_hourly:ln_quantile1d";

/// What can be looked at at any time.
const QUANTILE: &str = "path:latency:quantile1d";

/// The newest of a series that has a sample an hour, though one evaluation was missed.
fn newest_of(hourly: &str) -> String {
    format!("last_over_time({hourly}[130m])")
}

const ON: &str = "on (job, http_route, journey, stage) group_left ()";

/// The second and third gate: a series is a tenth above the same weekdays a fortnight ago, and each
/// week was above the one before. A sample an hour is found within two; `now` is the series as it
/// can be looked at at any time.
pub(super) fn grows(series: &str, now: &str) -> String {
    lines([
        format!("and avg_over_time({series}[3d]) > 1.1 * avg_over_time({series}[3d] offset 14d)"),
        format!("and {now} > last_over_time({series}[2h] offset 7d)"),
        format!("and last_over_time({series}[2h] offset 7d)"),
        format!("  > last_over_time({series}[2h] offset 14d)"),
    ])
}

fn newest() -> Rule {
    Record::new(QUANTILE, newest_of(HOURLY))
        .why("The hour's, between one evaluation and the next.")
        .into()
}

fn eta() -> Rule {
    let expr = lines([
        format!("({} - {ON} ln({}))", newest_of(LN), threshold()),
        format!("/ (deriv({LN}[14d]) != 0)"),
        "/ -86400".to_owned(),
    ]);
    Record::new("path:latency_objective:days_left", expr)
        .why(
            "Days until the objective at the last fortnight's pace; negative where it gets faster.",
        )
        .into()
}

pub(super) fn creeps() -> Alert {
    let expr = lines([
        format!("predict_linear({LN}[14d], 28 * 86400)"),
        format!("  > {ON} ln({})", threshold()),
        grows(HOURLY, QUANTILE),
    ]);
    Alert::new(ALERT, Severity::Warning, Board::Capacity)
        .when(expr)
        // A spike of one day is in a day's distribution for one day more: two days are over it.
        .hold("2d")
        // Where a narrow distribution stands still between two bounds for a while.
        .keep("3d")
        .why(
            "Three gates. The last fortnight's trend crosses the objective within four weeks: a \
             fortnight is two whole weeks, so that weekends pull neither way, and logarithms, as \
             what fills up gets slower by a factor, not by an amount. The last three days are a \
             tenth above the same weekdays a fortnight ago, which noise isn't. And each week was \
             slower than the one before, which a step or a spike isn't. Weeks are compared with \
             weeks throughout, so that a weekly season cancels out.",
        )
        .says(
            "A path gets slower week by week and will miss its objective.",
            "The quantile {{ $labels.quantile }} of {{ $labels.http_route }}{{ $labels.journey }}\
             {{ $labels.stage }} rises from week to week. If it goes on like that, it is above its \
             objective in four weeks or sooner; path:latency_objective:days_left says when. Nobody \
             has to be woken: find out what grows.",
        )
}
