//! What will be full: pools, spaces of numbers, bounds. (Disks are in `disk`.)
//!
//! Silent: what stays as it is, noise, a weekly season, one spike.

use std::f64::consts::TAU;

use contract::{Family, Pool};

use super::super::case::Case;
use super::super::saturation::{limit_fills, pool_fills};
use super::noise;
use super::saturation::{SPACE, SPACE_LABELS, all_bounds, all_pools, pool};

/// Three weeks and some days, in hours.
const AT: &str = "576h";

/// A sample an hour.
pub(super) fn cases() -> Vec<Case> {
    [pools(), bounds(), id_spaces()].concat()
}

/// Values of a function of the day.
fn values(of: impl Fn(f64) -> f64) -> String {
    let hours = (0..=24 * 24).map(|hour| format!("{:.3}", of(f64::from(hour) / 24.0)));
    hours.collect::<Vec<_>>().join(" ")
}

/// What is no trend, around a level and with a swing.
fn no_trends(level: f64, swing: f64, most: f64) -> [(&'static str, String); 3] {
    [
        ("a weekly season", values(|day| level + swing * (TAU * day / 7.0).sin())),
        ("noise", values(|day| level + swing * (2.0 * noise((day * 24.0) as u32) - 1.0))),
        ("one spike", values(|day| if (22.0..22.3).contains(&day) { most } else { level })),
    ]
}

fn pools() -> Vec<Case> {
    let rule = pool_fills();
    let case = |story| Case::new(rule.name, story, AT);
    let interactive =
        |story, used: &str| pool(case(story), Pool::Interactive.name(), used, "0x600", "0x600");
    let each_day = "an eighth of a connection more each day";
    let fires = |case: Case| {
        case.fires(
            &[],
            &[("job", "punctual"), ("pool", "interactive")],
            "Pool interactive is fuller from week to week. If it goes on like that, the busiest \
             hour uses more than 80 % of it in four weeks, and callers wait.",
        )
    };
    let mut cases = vec![
        fires(interactive(each_day, &values(|day| 1.5 + 0.125 * day))),
        fires(pool_of_two("the same, in a process that is called otherwise after a fortnight")),
        all_pools(case("the same in each"), "1.5+0.005x600", "0x600").all_rows_fire(&rule),
        all_pools(case("each stays as it is"), "4x600", "0x600"),
    ];
    let silent = no_trends(3.5, 1.5, 8.0);
    cases.extend(silent.iter().map(|(story, used)| interactive(story, used)));
    cases
}

/// A pool of one process, and of the one that takes its place.
fn pool_of_two(story: &'static str) -> Case {
    let (name, used, most) =
        (pool_fills().name, Family::DbClientConnections, Family::DbClientConnectionsMax);
    let on = |case: Case, instance: &str, in_use: &str, size: &str| {
        let series = |family: Family, more: &str| {
            let of = format!("job=\"punctual\",instance=\"{instance}\",pool=\"interactive\"{more}");
            format!("{}{{{of}}}", family.name())
        };
        case.foreign_series(series(used, ",state=\"used\""), in_use)
            .foreign_series(series(most, ""), size)
    };
    let before = on(Case::new(name, story, AT), "a:9090", "1.5+0.005x336", "8x336");
    on(before, "b:9090", "_x337 3.185+0.005x260", "_x337 8x260")
}

fn bounds() -> Vec<Case> {
    let rule = limit_fills();
    let case = |story| Case::new(rule.name, story, AT);
    let (used, row) = (Family::LimitUsed, "limit=\"deliveries_in_flight\"");
    let one = |story, values: &str| case(story).series(used.name(), row, values);
    let fires = |case: Case| {
        case.fires(
            &[],
            &[("job", "punctual"), ("limit", "deliveries_in_flight")],
            "deliveries_in_flight is used more from week to week. If it goes on like that, more \
             than 80 % of it is used in the busiest hour in four weeks. When it is full, callers \
             are turned away with 503.",
        )
    };
    let on = |case: Case, instance: &str, values: &str| {
        let labels = format!("{{job=\"punctual\",instance=\"{instance}\",{row}}}");
        case.foreign_series(format!("{}{labels}", used.name()), values)
    };
    let moved = case("the same, in a process that is called otherwise after a fortnight");
    let moved = on(moved, "a:9090", "0.15+0.0008x336");
    let mut cases = vec![
        fires(one("a fiftieth more of it each day", &values(|day| 0.15 + 0.02 * day))),
        fires(on(moved, "b:9090", "_x337 0.42+0.0008x260")),
        all_bounds(case("the same in each"), &rule, used, "0.15+0.0008x600").all_rows_fire(&rule),
        all_bounds(case("each stays as it is"), &rule, used, "0.4x600"),
        case("a memory that fills, as it is meant to").series(
            used.name(),
            "limit=\"practice_cache\"",
            "0.15+0.0008x600",
        ),
    ];
    let silent = no_trends(0.4, 0.2, 1.0);
    cases.extend(silent.iter().map(|(story, values)| one(story, values)));
    cases
}

fn id_spaces() -> Vec<Case> {
    let (alert, ids) = ("PunctualIdSpaceFills", Family::IdSpaceUsed.name());
    vec![
        Case::new(alert, "two and a half per cent more each day", "192h")
            .series(ids, &format!("space=\"{SPACE}\""), "0.1+0.001x200")
            .fires(
                &[],
                SPACE_LABELS,
                format!(
                    "At the last week's pace the numbers of {SPACE} are used up within 90 days. \
                     Then nothing that needs one can be written any more."
                ),
            ),
        Case::new(alert, "transaction ids between two rounds of vacuum", "192h").series(
            ids,
            "space=\"transaction_id\"",
            "0.01+0.0004x200",
        ),
    ]
}
