//! `GET /metrics`

use contract::endpoint::Endpoint;
use contract::{Fate, Journey, Limit, Pool, Query, QueryOutcome, Stage};
use serde_json::Value;
use tests::TestApp;

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::ReadMetrics;

#[tokio::test]
async fn every_series_that_can_exist_exists_from_the_start() {
    let app = TestApp::start().await;
    let scrape = app.scrape().await;
    let mut missing = Vec::new();
    let mut expect = |family: &str, labels: &[(&str, &str)]| {
        if !scrape.has(family, labels) {
            missing.push(format!("{family} {labels:?}"));
        }
    };
    for row in Endpoint::ALL {
        let route = ("http_route", row.name());
        for status in ["200", "201", "204", "400", "500", "503"] {
            let is_success = status.starts_with('2');
            let labels = [route, ("http_response_status_code", status)];
            let family = "http_server_request_duration_seconds_count";
            if !is_success {
                expect(family, &labels);
            }
        }
        for slo in ["latency", "availability"] {
            expect("slo_requests_total", &[route, ("slo", slo)]);
            expect("slo_good_requests_total", &[route, ("slo", slo)]);
        }
        expect("endpoint_db_queries_per_request_count", &[route]);
        expect("endpoint_db_pool_wait_seconds_count", &[route]);
        expect("endpoint_budget_exceeded_total", &[route]);
    }
    for row in Query::ALL {
        let query = ("db_query_name", row.name());
        for outcome in QueryOutcome::ALL {
            let labels = [query, ("outcome", outcome.name())];
            expect("db_client_operation_duration_seconds_count", &labels);
        }
        expect("db_client_response_returned_rows_count", &[query]);
    }
    for row in Stage::ALL {
        let stage = ("stage", row.name());
        for family in [
            "stage_duration_seconds_count",
            "stage_lateness_seconds_count",
            "stage_batch_size_count",
            "stage_in_flight",
            "stage_failures_total",
            "stage_items_total",
        ] {
            expect(family, &[stage]);
        }
    }
    for row in Pool::ALL {
        let pool = ("pool", row.name());
        for family in [
            "db_client_connections",
            "db_client_connections_max",
            "db_client_connections_pending_requests",
            "db_client_connections_timeouts_total",
            "db_client_connections_wait_time_seconds_count",
            "db_client_connections_use_time_seconds_count",
            "db_client_connections_create_time_seconds_count",
        ] {
            expect(family, &[pool]);
        }
    }
    for row in Journey::ALL {
        expect("journey_duration_seconds_count", &[("journey", row.name())]);
    }
    for row in Limit::ALL {
        expect("limit_used_ratio", &[("limit", row.name())]);
        expect("limit_reached_total", &[("limit", row.name())]);
    }
    for row in Fate::ALL {
        expect("messages_total", &[("fate", row.name())]);
    }
    for family in [
        "ambiguous_messages",
        "stranded_rows",
        "conservation_residual_messages",
        "fold_lag_seconds",
        "stale_completions_total",
        "build_info",
        "process_resident_memory_bytes",
    ] {
        expect(family, &[]);
    }
    assert_eq!(missing, Vec::<String>::new());
    app.finish().await;
}

#[tokio::test]
async fn reads_without_a_statement() {
    let app = TestApp::start().await;
    let read = app.get("/metrics").anonymous().send();
    let answer = is_counted(&app, ENDPOINT, 200, read).await;
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    Good { app: &app, endpoint: ENDPOINT, path: "/metrics".into(), body: Value::Null }
        .is_refused_when_spoilt()
        .await;
    let scrape = app.scrape().await;
    let labels = [("http_route", ENDPOINT.name())];
    assert_eq!(scrape.sum("endpoint_db_queries_per_request_sum", &labels), 0.0);
    // What no path matches has one label, whatever was asked for.
    for n in 0..20 {
        app.get(&format!("/admin/nothing-{n}")).send().await.problem(404, "unknown_path");
    }
    let unmatched = [("http_route", "unmatched")];
    let requests = "http_server_request_duration_seconds_count";
    assert!(app.scrape().await.sum(requests, &unmatched) >= 20.0);
    app.finish().await;
}
