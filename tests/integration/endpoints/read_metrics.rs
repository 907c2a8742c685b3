//! `GET /metrics`

use contract::endpoint::Endpoint;
use contract::{Fate, Journey, Limit, Pool, Query, QueryOutcome, Stage};
use serde_json::Value;
use tests::{Scrape, TestApp};

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::ReadMetrics;

/// What a scrape lacks.
struct Missing<'a> {
    scrape: &'a Scrape,
    found: Vec<String>,
}

impl Missing<'_> {
    fn expect(&mut self, families: &[&str], labels: &[(&str, &str)]) {
        for family in families {
            if !self.scrape.has(family, labels) {
                self.found.push(format!("{family} {labels:?}"));
            }
        }
    }

    fn of_endpoints_and_queries(&mut self) {
        for row in Endpoint::ALL {
            let route = ("http_route", row.name());
            for status in ["400", "500", "503"] {
                let labels = [route, ("http_response_status_code", status)];
                self.expect(&["http_server_request_duration_seconds_count"], &labels);
            }
            for slo in ["latency", "availability"] {
                let families = ["slo_requests_total", "slo_good_requests_total"];
                self.expect(&families, &[route, ("slo", slo)]);
            }
            let families = [
                "endpoint_db_queries_per_request_count",
                "endpoint_db_pool_wait_seconds_count",
                "endpoint_budget_exceeded_total",
            ];
            self.expect(&families, &[route]);
        }
        for row in Query::ALL {
            let query = ("db_query_name", row.name());
            for outcome in QueryOutcome::ALL {
                let labels = [query, ("outcome", outcome.name())];
                self.expect(&["db_client_operation_duration_seconds_count"], &labels);
            }
            self.expect(&["db_client_response_returned_rows_count"], &[query]);
        }
    }

    fn of_stages_and_pools(&mut self) {
        for row in Stage::ALL {
            let families = [
                "stage_duration_seconds_count",
                "stage_lateness_seconds_count",
                "stage_batch_size_count",
                "stage_in_flight",
                "stage_failures_total",
                "stage_items_total",
            ];
            self.expect(&families, &[("stage", row.name())]);
        }
        for row in Pool::ALL {
            let families = [
                "db_client_connections",
                "db_client_connections_max",
                "db_client_connections_pending_requests",
                "db_client_connections_timeouts_total",
                "db_client_connections_wait_time_seconds_count",
                "db_client_connections_use_time_seconds_count",
                "db_client_connections_create_time_seconds_count",
            ];
            self.expect(&families, &[("pool", row.name())]);
        }
    }

    fn of_the_rest(&mut self) {
        for row in Journey::ALL {
            self.expect(&["journey_duration_seconds_count"], &[("journey", row.name())]);
        }
        for row in Limit::ALL {
            let families = ["limit_used_ratio", "limit_reached_total"];
            self.expect(&families, &[("limit", row.name())]);
        }
        for row in Fate::ALL {
            self.expect(&["messages_total"], &[("fate", row.name())]);
        }
        let alone = [
            "ambiguous_messages",
            "stranded_rows",
            "conservation_residual_messages",
            "fold_lag_seconds",
            "stale_completions_total",
            "build_info",
            "process_resident_memory_bytes",
        ];
        self.expect(&alone, &[]);
    }
}

#[tokio::test]
async fn every_series_that_can_exist_exists_from_the_start() {
    let app = TestApp::start().await;
    let scrape = app.scrape().await;
    let mut missing = Missing { scrape: &scrape, found: Vec::new() };
    missing.of_endpoints_and_queries();
    missing.of_stages_and_pools();
    missing.of_the_rest();
    assert_eq!(missing.found, Vec::<String>::new());
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
