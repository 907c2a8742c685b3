//! `alerts/saturation.rules.yaml`: what is full, nearly full, or will be: pools of connections,
//! spaces of numbers, bounds; and disks, whose rules are in `disk`.
//!
//! Never here: what a full thing does to requests and messages (`burn`, `work`).

use contract::tier::Tier;
use contract::{Family, Limit, Pool};

use super::burn::PAGES_LOOK_BACK;
use super::model::{Alert, Board, Group, Record, Rule, RuleFile, Severity, lines, one_of};
use super::{creep, disk};

const USED: &str = Family::DbClientConnections.name();
const MAX: &str = Family::DbClientConnectionsMax.name();
const PENDING: &str = Family::DbClientConnectionsPendingRequests.name();
const TIMEOUTS: &str = Family::DbClientConnectionsTimeouts.name();
const IDS: &str = Family::IdSpaceUsed.name();
const LIMIT: &str = Family::LimitUsed.name();
const REACHED: &str = Family::LimitReached.name();
const POOL_MOST: &str = "pool:connections_used:max";
const BUSY: &str = "pool:connections_used:quantile95_1d";
const LIMIT_MOST: &str = "limit:used:max";
const LIMIT_BUSY: &str = "limit:used:quantile95_1d";
const OPEN: &str = Family::ProcessOpenFds.name();
const OPEN_MAX: &str = Family::ProcessMaxFds.name();

/// Bounds that must not fill up.
fn turn_away() -> impl Iterator<Item = &'static str> {
    Limit::that_turn_away().map(Limit::name)
}

/// What is used of them.
fn limit_used() -> String {
    format!("{LIMIT}{{{}}}", one_of("limit", &turn_away().collect::<Vec<_>>()))
}

fn all_pools() -> impl Iterator<Item = &'static str> {
    Pool::ALL.iter().map(|pool| pool.name())
}

pub(super) fn rules() -> RuleFile {
    let mut pools = vec![pool_used().into(), pool_most().into()];
    pools.extend(Tier::ALL.into_iter().filter_map(pool_exhausted).map(Rule::from));
    pools.push(pool_nearly_full().into());
    let rest = [id_space_used(), disk::nearly_full(), limits()];
    let mut now = vec![Rule::from(limit_most())];
    now.extend(rest.into_iter().flatten().map(Rule::from));
    now.push(open_files().into());
    let mut forecast: Vec<Rule> = vec![pool_busy().into(), limit_busy().into()];
    forecast.extend([pool_fills(), id_space_fills()].map(Rule::from));
    forecast.extend(disk::fills().into_iter().map(Rule::from));
    forecast.push(limit_fills().into());
    RuleFile {
        name: "saturation",
        about: "What is full, nearly full, or will be.",
        groups: vec![
            Group { name: "punctual_pools", interval: "15s", rules: pools },
            Group { name: "punctual_saturation", interval: "1m", rules: now },
            Group { name: "punctual_forecast", interval: "2m", rules: forecast },
        ],
    }
}

fn pool_used() -> Record {
    let used = lines([
        format!("sum by (job, instance, pool) ({USED}{{state=\"used\"}})"),
        format!("/ (sum by (job, instance, pool) ({MAX}) > 0)"),
    ]);
    Record::new("pool:connections_used:ratio", used)
        .why("How full each pool of each process is; a pool that has no size yet is left out.")
}

fn pool_most() -> Record {
    Record::new(POOL_MOST, "max by (job, pool) (pool:connections_used:ratio)").why(
        "How full each pool is in the process where it is fullest, whatever processes are called \
         after a deployment.",
    )
}

fn pool_busy() -> Record {
    Record::new(BUSY, format!("quantile_over_time(0.95, {POOL_MOST}[1d])"))
        .why("How full it is in the busiest 72 minutes of a day: what the forecast looks at.")
}

/// The pools of one tier, whose exhaustion matters as much as what uses them.
pub(super) fn pool_exhausted(tier: Tier) -> Option<Alert> {
    let pools: Vec<&str> =
        Pool::ALL.iter().filter(|pool| pool.spec().tier == tier).map(|pool| pool.name()).collect();
    if pools.is_empty() {
        return None;
    }
    let of = one_of("pool", &pools);
    let expr = lines([
        format!("({PENDING}{{{of}}} > 0"),
        format!("  and on (job, instance, pool) pool:connections_used:ratio{{{of}}} >= 1)"),
        "or".to_owned(),
        format!(
            "sum by (job, instance, pool) (increase({TIMEOUTS}{{{of},kind=\"wait\"}}[1m])) > 0"
        ),
    ]);
    let severity = match tier {
        Tier::Critical => Severity::Critical,
        Tier::Standard | Tier::Reporting => Severity::Warning,
    };
    let alert = Alert::new("PunctualPoolExhausted", severity, Board::Database)
        .when(expr)
        .hold("1m")
        .keep(PAGES_LOOK_BACK)
        .tier(tier)
        .watching("pool", pools)
        .why(format!(
            "Full with somebody waiting at four scrapes in a row, or somebody gave up waiting \
             (after 2 to 5 s) within each minute: a burst is over sooner. Kept for \
             {PAGES_LOOK_BACK}: a pool that is full comes and goes, and as long as budgets look \
             back on it they page for nothing else.",
        ))
        .says(
            "A pool of database connections is exhausted.",
            "All connections of pool {{ $labels.pool }} at {{ $labels.instance }} are in use, and \
             callers wait for one or have given up waiting. Requests that wait too long are \
             answered 503; stages try again later. Look at who holds the connections before making \
             the pool larger. This ends when the pool has been free for 35 minutes.",
        );
    Some(alert)
}

pub(super) fn pool_nearly_full() -> Alert {
    Alert::new("PunctualPoolNearlyFull", Severity::Warning, Board::Database)
        .when("avg_over_time(pool:connections_used:ratio[15m]) > 0.8")
        .hold("5m")
        .watching("pool", all_pools())
        .why(
            "Erlang's C: of eight connections that are busy for 80 % of the time, 46 % of callers \
             find none free; at 60 % it is 14 %. A quarter of an hour is longer than a burst.",
        )
        .says(
            "A pool of database connections is nearly full.",
            "Pool {{ $labels.pool }} at {{ $labels.instance }} has had {{ $value | \
             humanizePercentage }} of its connections in use over the last quarter of an hour. \
             Callers begin to wait.",
        )
}

pub(super) fn pool_fills() -> Alert {
    let expr =
        format!("predict_linear({BUSY}[14d], 28 * 86400) > 0.8\n{}", creep::grows(BUSY, BUSY));
    Alert::new("PunctualPoolFills", Severity::Warning, Board::Capacity)
        .when(expr)
        .hold("2d")
        .watching("pool", all_pools())
        .why(
            "The three gates of PunctualLatencyCreeps, towards the 80 % of PunctualPoolNearlyFull. \
             Not by a factor: what uses connections adds up.",
        )
        .says(
            "A pool of database connections will be too small in four weeks.",
            "Pool {{ $labels.pool }} is fuller from week to week. If it goes on like that, the \
             busiest hour uses more than 80 % of it in four weeks, and callers wait.",
        )
}

fn id_space_used() -> Vec<Alert> {
    let alert = |severity, least: f64, why: &str| {
        Alert::new("PunctualIdSpaceUsed", severity, Board::Capacity)
            .when(format!("max by (job, space) ({IDS}) > {least}"))
            .hold("10m")
            .why(why)
            .says(
                "A space of numbers is being used up.",
                "{{ $value | humanizePercentage }} of the numbers of {{ $labels.space }} are used. \
                 When they run out, nothing that needs one can be written any more.",
            )
    };
    vec![
        alert(
            Severity::Warning,
            0.25,
            "A quarter. Transaction ids reach 10 % before vacuum freezes them by itself \
             (autovacuum_freeze_max_age is 200 of 2,147 million), so a quarter means that it \
             doesn't.",
        ),
        alert(
            Severity::Critical,
            0.5,
            "Half. Drawn at random, every second number is taken by now and must be drawn again; \
             and moving to a larger space takes longer than using up the other half often does.",
        ),
    ]
}

fn id_space_fills() -> Alert {
    let expr = lines([
        format!("predict_linear((max by (job, space) ({IDS}))[7d:1h], 90 * 86400) > 1"),
        format!("and max by (job, space) ({IDS}) > 0.1"),
    ]);
    Alert::new("PunctualIdSpaceFills", Severity::Warning, Board::Capacity)
        .when(expr)
        .hold("6h")
        .why(
            "A week's trend; 90 days are what a migration to a larger space takes with its \
             planning. Below a tenth vacuum's saw tooth of transaction ids would look like a \
             trend, and nothing is urgent.",
        )
        .says(
            "A space of numbers runs out within 90 days.",
            "At the last week's pace the numbers of {{ $labels.space }} are used up within 90 \
             days. Then nothing that needs one can be written any more.",
        )
}

fn limit_most() -> Record {
    let most = format!("max by (job, limit) ({})", limit_used());
    Record::new(LIMIT_MOST, most).why(
        "How full each bound is in the process where it is fullest, whatever processes are called \
         after a deployment. Memories are left out: full is how they are meant to be.",
    )
}

fn limit_busy() -> Record {
    Record::new(LIMIT_BUSY, format!("quantile_over_time(0.95, {LIMIT_MOST}[1d])"))
        .why("How full it is in the busiest 72 minutes of a day: what the forecast looks at.")
}

pub(super) fn limit_fills() -> Alert {
    let trend = format!("predict_linear({LIMIT_BUSY}[14d], 28 * 86400) > 0.8");
    Alert::new("PunctualLimitFills", Severity::Warning, Board::Capacity)
        .when(format!("{trend}\n{}", creep::grows(LIMIT_BUSY, LIMIT_BUSY)))
        .hold("2d")
        .watching("limit", turn_away())
        .why(
            "The three gates of PunctualLatencyCreeps, towards the 80 % of \
             PunctualLimitNearlyReached. Not by a factor: what a bound counts adds up.",
        )
        .says(
            "A bound will be reached in four weeks.",
            "{{ $labels.limit }} is used more from week to week. If it goes on like that, more \
             than 80 % of it is used in the busiest hour in four weeks. When it is full, callers \
             are turned away with 503.",
        )
}

pub(super) fn limits() -> Vec<Alert> {
    let nearly = Alert::new("PunctualLimitNearlyReached", Severity::Warning, Board::Capacity)
        .when(format!("max by (job, instance, limit) ({}) > 0.8", limit_used()))
        .hold("5m")
        .watching("limit", turn_away())
        .why(
            "A fifth to spare is what the bounds of the table are made with at the least. Memories \
             are left out: full is how they are meant to be.",
        )
        .says(
            "A bound is nearly reached.",
            "{{ $labels.limit }} of {{ $labels.instance }} is used to {{ $value | \
             humanizePercentage }}. When it is full, callers are turned away with 503.",
        );
    let reached = Alert::new("PunctualLimitReached", Severity::Warning, Board::Capacity)
        .when(format!("sum by (job, instance, limit) (increase({REACHED}[5m])) >= 10"))
        .hold("5m")
        .watching("limit", Limit::ALL.iter().map(|limit| limit.name()))
        .why(
            "Ten in five minutes, going on for five: one caller's mistake is fewer, a surge is \
             over. Connections that are refused are no requests, so no objective counts them.",
        )
        .says(
            "A bound keeps being reached.",
            "{{ $labels.limit }} of {{ $labels.instance }} was reached {{ $value | printf \"%.0f\" \
             }} times in the last five minutes: that often somebody was turned away or had to \
             wait.",
        );
    vec![nearly, reached]
}

fn open_files() -> Alert {
    Alert::new("PunctualOpenFilesNearlyOut", Severity::Warning, Board::Capacity)
        .when(format!("{OPEN} / ({OPEN_MAX} > 0) > 0.8"))
        .hold("5m")
        .why("As for bounds. Without one left, no connection can be accepted or opened.")
        .says(
            "A process nearly runs out of file descriptors.",
            "{{ $labels.instance }} has {{ $value | humanizePercentage }} of the file descriptors \
             open that it may have. Without one left it can't accept or open connections.",
        )
}
