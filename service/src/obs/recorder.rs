//! The recorder behind the facade, and the scrape. Installed once, before anything is recorded.

use std::sync::OnceLock;
use std::time::Duration;

use contract::Family;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::exposition::{self, Format, Piece};
use super::facade::Facade;
use super::{
    backlog, buckets, budget, database, exemplar, family, fate, holder, http, journey, kept, law,
    limit, pool, process, prune, query, route, stage,
};

static HANDLE: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();

/// How often what was recorded is folded into the buckets: a second of samples is a few hundred
/// kilobytes, and recording waits for nothing.
const UPKEEP_PERIOD: Duration = Duration::from_secs(1);

/// Installs the recorder and registers every series at zero. Done twice, the second does nothing.
///
/// # Errors
/// One line when an objective lies off the histograms' bounds, or a recorder is there already.
pub(crate) fn install() -> Result<(), String> {
    HANDLE.get_or_init(set_up).as_ref().map(|_| ()).map_err(Clone::clone)
}

fn set_up() -> Result<PrometheusHandle, String> {
    let off = buckets::objectives_off_the_grid();
    if !off.is_empty() {
        return Err(format!("objectives that no histogram can judge: {}", off.join(", ")));
    }
    let exporter = PrometheusBuilder::new().build_recorder();
    let handle = exporter.handle();
    let facade = Facade::new(exporter);
    metrics::set_global_recorder(facade).map_err(|error| error.to_string())?;
    exemplar::tick();
    for register in [
        family::describe_all,
        dropped,
        backlog::register,
        budget::register,
        database::register,
        fate::register,
        holder::register,
        http::register,
        journey::register,
        law::register,
        limit::register,
        pool::register,
        route::register,
        process::register,
        prune::register,
        query::register,
        stage::register,
    ] {
        register();
    }
    Ok(handle)
}

/// The counter of series that were not made is there from the start.
fn dropped() {
    _ = family::counter(Family::MetricsSeriesDropped, family::NONE);
}

/// The handle, once there is one.
fn handle() -> Option<&'static PrometheusHandle> {
    HANDLE.get()?.as_ref().ok()
}

/// Everything, in the format that was asked for, a piece at a time. Nothing before [`install`].
pub(crate) fn render(format: Format, each: impl FnMut(Piece<'_>)) {
    process::observe();
    if let Some(handle) = handle() {
        let text = handle.render() + &process::more();
        exposition::print(&text, format, &kept::traces(), each);
    }
}

/// The same as one text.
#[cfg(test)]
pub(crate) fn rendered(format: Format) -> String {
    let mut text = String::new();
    render(format, |piece| text.push_str(piece.text));
    text
}

/// Folds what was recorded, for ever.
pub(crate) async fn upkeep() {
    let mut ticks = tokio::time::interval(UPKEEP_PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        exemplar::tick();
        kept::tick();
        if let Some(handle) = handle() {
            handle.run_upkeep();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::{Endpoint, Fate, Journey, Limit, Pool, Query, QueryOutcome, Stage};

    /// Who receives the log is known by the primary alone.
    const LATER: [Family; 2] = [Family::ReplicaLagBytes, Family::ReplicaLagSeconds];

    #[test]
    fn every_row_has_its_series_from_the_start() {
        install().unwrap();
        install().unwrap();
        let settings = crate::db::Settings::of_url("postgres://127.0.0.1:1/x".into());
        // Named by the settings, and not yet connected to.
        let _db = crate::db::Db::new(&settings).unwrap();
        let text = rendered(Format::Text);
        let mut missing = Vec::new();
        let mut expect = |family: &str, label: &str, value: &str| {
            let named = format!("{label}=\"{value}\"");
            if !text.lines().any(|line| line.starts_with(family) && line.contains(&named)) {
                missing.push(format!("{family}{{{named}}}"));
            }
        };
        for family in Family::ALL {
            let has = text.lines().any(|line| line.starts_with(family.name()));
            assert_eq!(has, !LATER.contains(family), "{}", family.name());
            let typed = format!("# TYPE {} {}", family.name(), family.spec().kind.name());
            assert!(!has || text.lines().any(|line| line == typed), "{typed}");
        }
        for row in Endpoint::ALL {
            expect("http_server_request_duration_seconds_bucket", "http_route", row.name());
            expect("slo_requests_total", "http_route", row.name());
            expect("slo_good_requests_total", "http_route", row.name());
            expect("endpoint_db_queries_per_request_sum", "http_route", row.name());
            expect("endpoint_budget_exceeded_total", "http_route", row.name());
        }
        for row in Stage::ALL {
            expect("stage_duration_seconds_count", "stage", row.name());
            expect("stage_lateness_seconds_count", "stage", row.name());
            expect("slo_stage_items_total", "stage", row.name());
        }
        for row in Journey::ALL {
            expect("journey_duration_seconds_count", "journey", row.name());
            expect("slo_good_journeys_total", "journey", row.name());
        }
        for row in Query::ALL {
            expect("db_client_operation_duration_seconds_count", "db_query_name", row.name());
        }
        for row in contract::Read::ALL {
            expect("db_route_decisions_total", "db_query_name", row.query().name());
        }
        for row in contract::RouteReason::ALL {
            expect("db_route_decisions_total", "reason", row.name());
        }
        for row in Pool::ALL {
            expect("db_client_connections_max", "pool", row.name());
        }
        for row in Limit::ALL {
            expect("limit_reached_total", "limit", row.name());
            if row.spec().has_level {
                expect("limit_used_ratio", "limit", row.name());
            }
        }
        for row in Fate::ALL {
            expect("messages_total", "fate", row.name());
        }
        for family in Family::ALL.iter().filter(|row| row.spec().labels.contains(&"server")) {
            expect(family.name(), "server", "127.0.0.1:1");
        }
        assert_eq!(missing, Vec::<String>::new());
        let line = text.lines().find(|line| line.starts_with("build_info{")).unwrap();
        assert!(line.contains(&format!("revision=\"{}\"", process::REVISION)), "{line}");
        assert!(text.contains("\nprocess_resident_memory_bytes "));
        assert!(text.contains("\nprocess_cpu_seconds_total "));
        assert!(text.contains(r#"http_route="unmatched""#));
    }

    #[test]
    fn a_statement_away_from_home_gets_its_series_then() {
        install().unwrap();
        let query = Query::ALL[0];
        let took = super::super::registered::Lap::of(Duration::from_millis(3));
        super::super::query::record(query, Pool::Reporting, QueryOutcome::Ok, took, 1);
        let labels = r#"pool="reporting",outcome="ok"} 1"#;
        assert!(
            rendered(Format::Text)
                .lines()
                .any(|line| line.contains(query.name()) && line.ends_with(labels))
        );
    }
}
