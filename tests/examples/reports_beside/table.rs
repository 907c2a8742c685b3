//! The tables that are printed.
//!
//! Never here: measuring.

use std::collections::BTreeMap;

use contract::Query;
use tests::Scrape;

use super::{Kind, MEASURED, Round, Rounds};

/// The statements of the reports that are read here.
const OF_REPORTS: [Query; 6] = [
    Query::ReportAsOf,
    Query::ResidualOpen,
    Query::JobReportPage,
    Query::DeliveryByHour,
    Query::TrendByDay,
    Query::FleetByDay,
];

pub(super) fn print(rounds: &[Round], of: Rounds) {
    let median = |kind: Kind, of: &dyn Fn(&Round) -> f64| {
        let of_kind = rounds.iter().filter(|round| round.kind == kind);
        let mut values: Vec<f64> = of_kind.map(of).collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        if values.len() % 2 == 1 {
            values[middle]
        } else {
            values[middle - 1..=middle].iter().sum::<f64>() / 2.0
        }
    };
    println!(
        "| median of {} rounds each | without | reports | ratio | neighbour | ratio |\n\
         |---|---|---|---|---|---|",
        of.each
    );
    let row = |what: &str, of: &dyn Fn(&Round) -> f64| {
        let [without, reports, neighbour] = Kind::ALL.map(|kind| median(kind, of));
        println!(
            "| {what} | {without:.2} | {reports:.2} | {:.2} | {neighbour:.2} | {:.2} |",
            reports / without,
            neighbour / without
        );
    };
    for (i, (what, ..)) in MEASURED.iter().enumerate() {
        row(&format!("{what}, p50, ms"), &|round| round.at[i][0]);
        row(&format!("{what}, p99, ms"), &|round| round.at[i][1]);
    }
    row("buffers a claimed row", &|round| round.buffers);
    row("texts a second", &|round| round.texts / of.length().as_secs_f64());
    row("processor of the service, s", &|round| round.busy);
    row("oldest snapshot, transactions", &|round| round.oldest as f64);
    row("reports a round", &|round| round.reports as f64);
    row("scans ended by replay, a round", &|round| round.ended as f64);
}

/// Where the statements of the reports went, by the service's own counters, and why.
pub(super) fn print_decisions(scrape: &Scrape) {
    println!("\n| statement of a report | target | reason | decisions |\n|---|---|---|---|");
    let mut of_target = BTreeMap::<String, f64>::new();
    for query in OF_REPORTS {
        for sample in scrape.all("db_route_decisions_total", &[("db_query_name", query.name())]) {
            let (target, reason) = (&sample.labels["target"], &sample.labels["reason"]);
            *of_target.entry(target.clone()).or_default() += sample.value;
            if sample.value > 0.0 {
                println!("| {} | {target} | {reason} | {:.0} |", query.name(), sample.value);
            }
        }
    }
    let all: Vec<String> = of_target.iter().map(|(target, n)| format!("{target} {n:.0}")).collect();
    println!("\nAll statements of reports, by target: {}.", all.join(", "));
}
