//! What is full, and what will be.

use std::f64::consts::TAU;

use contract::Family;

use super::super::case::{Case, Labels};
use super::noise;

const POOL: Labels = &[("job", "punctual"), ("instance", "a:9090"), ("pool", "interactive")];
const INSTANCE: Labels = &[("job", "punctual"), ("instance", "a:9090")];
const SPACE: Labels = &[("job", "punctual"), ("space", "code_space")];

/// A sample each 15 seconds.
pub(super) fn now() -> Vec<Case> {
    [pools(), id_spaces(), disk(), limits()].concat()
}

/// A pool of eight connections of which so many are used, and so many callers wait.
fn pool(case: Case, used: &str, waiting: &str, timeouts: &str) -> Case {
    let pool = "pool=\"interactive\"";
    case.series(Family::DbClientConnections.name(), &format!("{pool},state=\"used\""), used)
        .series(Family::DbClientConnectionsMax.name(), pool, "8x6000")
        .series(Family::DbClientConnectionsPendingRequests.name(), pool, waiting)
        .series(
            Family::DbClientConnectionsTimeouts.name(),
            &format!("{pool},kind=\"wait\""),
            timeouts,
        )
}

fn pools() -> Vec<Case> {
    let (full, nearly) = ("PunctualPoolExhausted", "PunctualPoolNearlyFull");
    let says = "All connections of pool interactive at a:9090 are in use, and callers wait for \
                one or \
                have given up waiting. Requests that wait too long are answered 503; stages try \
                again \
                later. Look at who holds the connections before making the pool larger.";
    let critical: Labels = &[("slo_tier", "critical")];
    vec![
        pool(
            Case::new(full, "all are in use and callers wait", "5m"),
            "2x4 8x20",
            "0x4 3x20",
            "0x30",
        )
        .fires(critical, POOL, says),
        pool(Case::new(full, "callers give up", "5m"), "2x4 8x20", "0x4 0x20", "0x4 0+2x20")
            .fires(critical, POOL, says),
        pool(
            Case::new(full, "a burst of half a minute", "5m"),
            "2x10 8x2 2x20",
            "0x10 5x2 0x20",
            "0x40",
        ),
        pool(Case::new(full, "all are in use and nobody waits", "5m"), "8x30", "0x30", "0x30"),
        pool(
            Case::new(nearly, "nine in ten are in use all the time", "25m"),
            "7x120",
            "0x120",
            "0x120",
        )
        .fires(
            &[],
            POOL,
            "Pool interactive at a:9090 has had 87.5% of its connections in use over the last \
             quarter of an hour. Callers begin to wait.",
        ),
        pool(Case::new(nearly, "a busy minute", "25m"), "3x60 8x4 3x60", "0x120", "0x120"),
    ]
}

fn id_spaces() -> Vec<Case> {
    let (used, ids) = ("PunctualIdSpaceUsed", Family::IdSpaceUsed.name());
    let space = "space=\"code_space\"";
    let says = |share: &str| {
        format!(
            "{share} of the numbers of code_space are used. When they run out, nothing that needs \
             one can be written any more."
        )
    };
    vec![
        Case::new(used, "a third", "15m").series(ids, space, "0.33x80").fires(
            &[("severity", "warning")],
            SPACE,
            says("33%"),
        ),
        Case::new(used, "more than half", "15m")
            .series(ids, space, "0.6x80")
            .fires(&[("severity", "warning")], SPACE, says("60%"))
            .fires(&[("severity", "critical")], SPACE, says("60%")),
        Case::new(used, "transaction ids where vacuum lets them rise to", "15m").series(
            ids,
            "space=\"transaction_id\"",
            "0.093x80",
        ),
    ]
}

fn disk() -> Vec<Case> {
    let alert = "PunctualDiskNearlyFull";
    let free = |case: Case, values: &str| {
        case.series(Family::HostFilesystemSize.name(), "", "100x100").series(
            Family::HostFilesystemFree.name(),
            "",
            values,
        )
    };
    let says = |share: &str| format!("{share} of the file system that a:9090 works in are free.");
    vec![
        free(Case::new(alert, "seven per cent are free", "20m"), "7x100").fires(
            &[("severity", "warning")],
            INSTANCE,
            says("7%"),
        ),
        free(Case::new(alert, "three per cent are free", "20m"), "3x100")
            .fires(&[("severity", "warning")], INSTANCE, says("3%"))
            .fires(&[("severity", "critical")], INSTANCE, says("3%")),
        free(
            Case::new(alert, "a file that is written and removed again", "20m"),
            "40x30 4x10 40x60",
        ),
    ]
}

fn limits() -> Vec<Case> {
    let (used, reached) = (Family::LimitUsed.name(), Family::LimitReached.name());
    let (open, most) = (Family::ProcessOpenFds.name(), Family::ProcessMaxFds.name());
    let (nearly, often, files) =
        ("PunctualLimitNearlyReached", "PunctualLimitReached", "PunctualOpenFilesNearlyOut");
    let queue = "limit=\"commit_queue\"";
    vec![
        Case::new(nearly, "the queue is nearly full", "10m").series(used, queue, "0.9x60").fires(
            &[],
            &[("job", "punctual"), ("instance", "a:9090"), ("limit", "commit_queue")],
            "commit_queue of a:9090 is used to 90%. When it is full, callers are turned away with \
             503.",
        ),
        Case::new(nearly, "a memory that is full, as it is meant to be", "10m").series(
            used,
            "limit=\"practice_cache\"",
            "1x60",
        ),
        Case::new(nearly, "a burst", "10m").series(used, queue, "0.1x20 1x4 0.1x60"),
        Case::new(often, "callers are turned away all the time", "12m")
            .series(reached, queue, "0+1x60")
            .fires(
                &[],
                &[("job", "punctual"), ("limit", "commit_queue")],
                "commit_queue was reached 20 times in the last five minutes: that often somebody \
                 was turned away or had to wait.",
            ),
        Case::new(often, "one request too large", "12m").series(reached, queue, "0x20 1x60"),
        Case::new(files, "connections leak", "10m")
            .series(open, "", "900x60")
            .series(most, "", "1024x60")
            .fires(
                &[],
                INSTANCE,
                "a:9090 has 87.89% of the file descriptors open that it may have. Without one left \
                 it can't accept or open connections.",
            ),
        Case::new(files, "few are open", "10m")
            .series(open, "", "90x60")
            .series(most, "", "1024x60"),
    ]
}

/// A sample an hour.
pub(super) fn forecast() -> Vec<Case> {
    [pool_forecast(), id_forecast(), disk_forecast()].concat()
}

fn pool_forecast() -> Vec<Case> {
    let alert = "PunctualPoolFills";
    let used = |of: &dyn Fn(f64) -> f64| {
        let hours = (0..=24 * 24).map(|hour| format!("{:.2}", of(f64::from(hour) / 24.0)));
        hours.collect::<Vec<_>>().join(" ")
    };
    let case = |story, of: &dyn Fn(f64) -> f64| {
        pool(Case::new(alert, story, "576h"), &used(of), "0x600", "0x600")
    };
    vec![
        case("an eighth of a connection more each day", &|day| 1.5 + 0.125 * day).fires(
            &[],
            POOL,
            "Pool interactive at a:9090 is fuller from week to week. If it goes on like that, its \
             busiest hour uses more than 80 % of it in four weeks, and callers wait.",
        ),
        case("flat", &|_| 4.0),
        case("a weekly season", &|day| 4.0 + 1.5 * (TAU * day / 7.0).sin()),
        case("noise", &|day| 3.0 + 2.0 * noise((day * 24.0) as u32)),
        case("one spike", &|day| if (22.0..22.3).contains(&day) { 8.0 } else { 3.0 }),
    ]
}

fn id_forecast() -> Vec<Case> {
    let (alert, ids) = ("PunctualIdSpaceFills", Family::IdSpaceUsed.name());
    vec![
        Case::new(alert, "two and a half per cent more each day", "192h")
            .series(ids, "space=\"code_space\"", "0.1+0.001x200")
            .fires(
                &[],
                SPACE,
                "At the last week's pace the numbers of code_space are used up within 90 days. \
                 Then nothing that needs one can be written any more.",
            ),
        Case::new(alert, "transaction ids between two rounds of vacuum", "192h").series(
            ids,
            "space=\"transaction_id\"",
            "0.01+0.0004x200",
        ),
    ]
}

fn disk_forecast() -> Vec<Case> {
    let alert = "PunctualDiskFills";
    let day = "40 39 38 37 36 35 34 33 32 31 30 29 28 29 30 31 32 33 34 35 36 37 38 39";
    let free = |case: Case, values: &str| {
        case.series(Family::HostFilesystemSize.name(), "", "100x600").series(
            Family::HostFilesystemFree.name(),
            "",
            values,
        )
    };
    vec![
        free(Case::new(alert, "two per cent of the disk an hour", "4h"), "39-2x20").fires(
            &[("severity", "critical")],
            INSTANCE,
            "At the pace of the last 6 hours the file system that a:9090 works in is full within \
             24 hours.",
        ),
        free(Case::new(alert, "three per cent of the disk a day", "96h"), "42-0.125x120").fires(
            &[("severity", "warning")],
            INSTANCE,
            "At the pace of the last 3 days the file system that a:9090 works in is full within \
             two weeks.",
        ),
        free(Case::new(alert, "a disk that stays as it is", "96h"), "42x120"),
        free(Case::new(alert, "it fills and empties by day and night", "96h"), &[day; 5].join(" ")),
    ]
}
