//! Whether there is anything to judge by.

use contract::Family;

use super::super::case::{Case, Labels};
use super::super::presence::{NEEDED, metrics_absent, series_of};

const JOB: Labels = &[("job", "punctual")];
const INSTANCE: Labels = &[("job", "punctual"), ("instance", "a:9090")];

/// A disk as node_exporter tells of it.
const DISK: &str = "node_filesystem_size_bytes{job=\"node\",instance=\"db1:9100\",\
                    device=\"/dev/sdb1\",fstype=\"ext4\",mountpoint=\"/var/lib/postgresql\"}";
/// One in memory, which says nothing.
const MEMORY: &str = "node_filesystem_size_bytes{job=\"node\",instance=\"db1:9100\",\
                      device=\"tmpfs\",fstype=\"tmpfs\",mountpoint=\"/run\"}";
/// Its size, with five minutes between in which nobody tells it.
const AWAY: &str = "100x20 stale _x19 100x80";
const NODE_UP: &str = "up{job=\"node\",instance=\"db1:9100\"}";

pub(super) fn cases() -> Vec<Case> {
    [answers(), series(), hosts()].concat()
}

fn hosts() -> Vec<Case> {
    let case = |story, up: &str, disk: &str| {
        let case = Case::new("PunctualHostUnwatched", story, "30m");
        let all = [(NODE_UP, up), (DISK, disk)];
        let there = all.into_iter().filter(|(_, values)| !values.is_empty());
        there.fold(case, |case, (series, values)| case.foreign_series(series.to_owned(), values))
    };
    let fires = |case: Case| {
        case.fires(
            &[],
            &[("instance", "db1:9100")],
            "Prometheus sees no disk of db1:9100: node_exporter doesn't answer there, tells of \
             none, or is no longer scraped. Nobody would be told that one fills up.",
        )
    };
    let no_longer = "1x20 stale";
    vec![
        fires(case("it ends", "1x20 0x100", "100x20 stale")),
        fires(case("it is scraped no longer", no_longer, "100x20 stale")),
        fires(case("it is to be scraped and never answers", "0x120", "")),
        fires(
            case("it tells of no disk", "1x120", "").foreign_series(MEMORY.to_owned(), "100x120"),
        ),
        // Until it is there again.
        Case { at: "9m45s".to_owned(), ..case("a restart", "1x20 0x20 1x80", AWAY) },
        case("a restart that is over", "1x20 0x20 1x80", AWAY),
        case("it is scraped nowhere", "", "").series("up", "", "1x120"),
    ]
}

fn answers() -> Vec<Case> {
    let start = Family::ProcessStartTime.name();
    let (down, one, again) = ("PunctualDown", "PunctualInstanceDown", "PunctualRestartsOften");
    let nobody = "Prometheus reaches no process of job punctual, or knows of none. No reminder \
                  leaves, and no request is answered.";
    vec![
        Case::new("PunctualWatchdog", "always", "1m").fires(
            &[],
            &[],
            "This alert always fires. When it stops, rules are no longer evaluated or \
             notifications no longer sent, and every other alert is silent too.",
        ),
        Case::new(down, "the only process is away", "5m").series("up", "", "1x4 0x20").fires(
            &[],
            JOB,
            nobody,
        ),
        Case::new(down, "Prometheus knows of no process", "5m").fires(&[], JOB, nobody),
        Case::new(down, "a restart", "5m").series("up", "", "1x4 0x2 1x20"),
        Case::new(one, "one process is away", "8m").series("up", "", "1x4 0x40").fires(
            &[],
            INSTANCE,
            "Prometheus has not reached a:9090 for five minutes.",
        ),
        Case::new(one, "a deployment of two minutes", "8m").series("up", "", "1x4 0x8 1x40"),
        Case::new(again, "it ends soon after each start", "10m")
            .series(start, "", "100x4 200x4 300x4 400x4 500x30")
            .fires(
                &[],
                INSTANCE,
                "a:9090 was started 4 times in half an hour. Its log says why it ends.",
            ),
        Case::new(again, "two deployments", "10m").series(start, "", "100x4 200x4 300x40"),
    ]
}

fn series() -> Vec<Case> {
    let dropped = Family::MetricsSeriesDropped.name();
    let (absent, full) = ("PunctualMetricsAbsent", "PunctualSeriesDropped");
    let all_but = |case: Case, without: Option<Family>| {
        NEEDED
            .iter()
            .filter(|family| Some(**family) != without)
            .fold(case, |case, family| case.series(&series_of(*family), "", "1x60"))
            .series("up", "", "1x60")
    };
    vec![
        all_but(Case::new(absent, "a family is gone", "10m"), Some(Family::MessagesDue)).fires(
            &[],
            &[("job", "punctual"), ("family", "messages_due_total")],
            "The processes of job punctual answer, but none of them has messages_due_total. Alerts \
             that are made of it can't fire.",
        ),
        Case::new(absent, "every family is gone", "10m")
            .series("up", "", "1x60")
            .all_rows_fire(&metrics_absent()),
        all_but(Case::new(absent, "all are there", "10m"), None),
        Case::new(absent, "nobody answers, which is another alert", "10m").series("up", "", "0x60"),
        Case::new(full, "a label takes any value", "5m").series(dropped, "", "0x4 1+1x20").fires(
            &[],
            JOB,
            "16 series were not made in the last hour, as their family was full. Some label takes \
             values that it shouldn't.",
        ),
        Case::new(full, "none", "5m").series(dropped, "", "0x30"),
    ]
}
