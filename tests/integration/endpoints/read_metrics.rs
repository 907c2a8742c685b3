//! `GET /metrics`

use std::collections::BTreeSet;
use std::io::Read as _;

use contract::endpoint::Endpoint;
use contract::{Family, Fate, Journey, Limit, Pool, Query, QueryOutcome, Stage};
use flate2::read::GzDecoder;
use serde_json::Value;
use tests::practice::FIRST_DUE;
use tests::provider::{reply, until_accepted};
use tests::slow::slow_read;
use tests::{Scrape, TestApp, appointment, at, until};
use tokio::task::JoinSet;

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::ReadMetrics;

/// Whether it is to be expected that a statement ends so: nobody leaves what a stage waits for.
fn can_end(scrape: &Scrape, query: Query, outcome: QueryOutcome) -> bool {
    let family = "db_client_operation_duration_seconds_count";
    let has =
        |pool: &Pool| scrape.has(family, &[("db_query_name", query.name()), ("pool", pool.name())]);
    let is_of_requests = |pool: &Pool| ![Pool::Pipeline, Pool::Upkeep].contains(pool);
    outcome != QueryOutcome::Cancelled
        || Pool::ALL.iter().any(|pool| has(pool) && is_of_requests(pool))
}

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
                "endpoint_budget_exceeded_total",
                "endpoint_repeated_queries_total",
            ];
            self.expect(&families, &[route]);
            if row.spec().query_budget > 0 {
                self.expect(&["endpoint_db_pool_wait_seconds_count"], &[route]);
            }
        }
        for row in Query::ALL {
            let query = ("db_query_name", row.name());
            for &outcome in QueryOutcome::ALL {
                if can_end(self.scrape, *row, outcome) {
                    let labels = [query, ("outcome", outcome.name())];
                    self.expect(&["db_client_operation_duration_seconds_count"], &labels);
                }
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
            let limit = [("limit", row.name())];
            self.expect(&["limit_reached_total"], &limit);
            // A gauge that can only be zero tells nothing.
            let has_level = self.scrape.has("limit_used_ratio", &limit);
            if has_level != row.spec().has_level {
                self.found.push(format!("limit_used_ratio {limit:?}: {has_level}"));
            }
        }
        for row in Fate::ALL {
            self.expect(&["messages_total"], &[("fate", row.name())]);
        }
        // By the settings' servers, from before they are reached: the primary and its replica.
        let servers = Family::ALL.iter().filter(|row| row.spec().labels.contains(&"server"));
        for row in servers {
            let names = self.scrape.all(row.name(), &[]).map(|sample| &sample.labels["server"]);
            if names.collect::<BTreeSet<_>>().len() != 2 {
                self.found.push(row.name().to_owned());
            }
        }
        let alone = [
            "ambiguous_messages",
            "stranded_rows",
            "conservation_residual_messages",
            "fold_lag_seconds",
            "stale_completions_total",
            "closed_practice_messages_total",
            "build_info",
            "process_resident_memory_bytes",
        ];
        self.expect(&alone, &[]);
    }
}

#[tokio::test]
async fn every_series_that_can_exist_exists_from_the_start() {
    let app = TestApp::with().replica().start().await;
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
    app.finish().await;
}

/// Names of series, which no number of requests may add to.
async fn series(app: &TestApp) -> BTreeSet<String> {
    let text = app.get("/metrics").anonymous().send().await.expect(200).text();
    let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    samples.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

#[tokio::test]
async fn a_scanner_adds_to_one_series() {
    let app = TestApp::start().await;
    let scan = async |from: usize, paths: usize| {
        let mut scanners = JoinSet::new();
        for scanner in 0..10 {
            let client = app.client.clone();
            scanners.spawn(async move {
                for n in 0..paths / 10 {
                    let path = format!("/v1/wp-{from}-{scanner}-{n}.php?q={n}");
                    client.get(&path).anonymous().send().await.problem(404, "unknown_path");
                }
            });
        }
        scanners.join_all().await;
    };
    scan(0, 10).await;
    let before = series(&app).await;
    scan(1, 10_000).await;
    // The database is looked at now and then, for the first time perhaps only now.
    let is_http = |name: &&String| name.contains("http_route") || name.starts_with("http_");
    let after = series(&app).await;
    assert_eq!(
        after.difference(&before).filter(is_http).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    assert!(after.iter().all(|name| !name.contains("wp-")));
    let unmatched = [("http_route", "unmatched")];
    let requests = "http_server_request_duration_seconds_count";
    assert!(app.scrape().await.sum(requests, &unmatched) >= 10_010.0);
    app.finish().await;
}

/// The trace of the callers in the next tests.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// What is malformed is nowhere: `malformed_trace`.
#[tokio::test]
async fn openmetrics_carries_the_callers_trace() {
    let app = TestApp::start().await;
    app.practice(1).await;
    let proper = format!("00-{TRACE}-00f067aa0ba902b7-01");
    // A cell takes an example a second at the most, of a request that was drawn.
    let read = || app.get("/v1/practices/1").header("traceparent", &proper).send();
    let text = until("an example of the caller's trace", async || {
        read().await.expect(200);
        let text = openmetrics(&app).await;
        text.contains(TRACE).then_some(text)
    })
    .await;
    let example = text.lines().find(|line| line.contains(TRACE)).unwrap();
    let family = "http_server_request_duration_seconds_bucket{http_route=\"read_practice\"";
    assert!(example.starts_with(family), "{example}");
    let (_, example) = example.split_once(" # ").unwrap();
    let (labels, rest) = example.split_once("} ").unwrap();
    assert_eq!(labels, format!("{{trace_id=\"{TRACE}\""));
    let numbers: Vec<f64> = rest.split(' ').map(|number| number.parse().unwrap()).collect();
    assert!(numbers[0] > 0.0 && numbers[1] > 1.7e9, "{rest}");
    app.finish().await;
}

async fn openmetrics(app: &TestApp) -> String {
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let call = app.get("/metrics").anonymous().header("accept", accept);
    let answer = call.header("accept-encoding", "gzip").send().await.expect(200);
    assert!(answer.header("content-type").starts_with("application/openmetrics-text; version=1"));
    assert_eq!(answer.header("content-encoding"), "gzip");
    let mut text = String::new();
    GzDecoder::new(&answer.body[..]).read_to_string(&mut text).unwrap();
    text
}

/// More good requests than a sample holds, and each statement of each of them: what they would
/// have been examples of is not shown, and what is shown is there.
#[tokio::test]
async fn every_example_leads_to_a_request_that_is_kept() {
    let app = TestApp::start().await;
    let one = slow_read(&app, TRACE).await;
    let is_of = |line: &str, family: &str, label: &str| {
        line.starts_with(family) && line.contains(label) && line.contains(TRACE)
    };
    for (family, label) in [
        ("http_server_request_duration_seconds", "http_route=\"read_appointment\""),
        ("db_client_operation_duration_seconds", "db_query_name=\"appointment_read\""),
    ] {
        until("the slow one is an example", async || {
            let text = openmetrics(&app).await;
            text.lines().any(|line| is_of(line, family, label)).then_some(())
        })
        .await;
    }
    let mut readers = JoinSet::new();
    for _ in 0..8 {
        let one = one.clone();
        readers.spawn(async move {
            for _ in 0..150 {
                one.appointment("a").await;
            }
        });
    }
    readers.join_all().await;
    let examples = openmetrics(&app).await;
    let examples: Vec<(&str, &str)> = examples
        .lines()
        .filter(|line| !line.contains("http_route=\"debug_"))
        .filter_map(|line| {
            let (series, example) = line.split_once(" # {trace_id=\"")?;
            Some((series, example.get(..32)?))
        })
        .collect();
    assert!(!examples.is_empty());
    for (series, trace) in &examples {
        let path = format!("/debug/requests/{trace}");
        let answer = app.get(&path).anonymous().send().await;
        assert_eq!(answer.status, 200, "{series} # {trace}");
    }
    app.finish().await;
}

/// Also the journeys that no request takes: a text's way out is its own flight, its receipt's the
/// request that brought it.
#[tokio::test]
async fn every_journey_has_an_example_that_is_kept() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    one.book(&appointment("b").phone(2)).await;
    assert_eq!(one.cancel("b").await["in_time"], true);
    app.hold(at(FIRST_DUE)).await;
    let sent = until_accepted(&app.simulator, 1).await.remove(0);
    app.idle().await;
    reply(&app.client, &sent.to, &one.sender(), "SM1", "YES").await.expect(200);
    for journey in Journey::ALL {
        let label = format!("{{journey=\"{}\"", journey.name());
        let trace = until(&label, async || {
            let text = openmetrics(&app).await;
            let mut lines = text.lines().filter(|line| line.contains(&label));
            lines.find_map(|line| {
                let (_, example) = line.split_once(" # {trace_id=\"")?;
                example.get(..32).map(str::to_owned)
            })
        })
        .await;
        let path = format!("/debug/requests/{trace}");
        app.get(&path).anonymous().send().await.expect(200);
    }
    app.finish().await;
}

/// Both formats say the same, in the form that each of them asks for.
#[tokio::test]
async fn both_formats_have_the_same_series() {
    let app = TestApp::start().await;
    let plain = app.get("/metrics").anonymous().send().await.expect(200);
    assert_eq!(plain.header("content-encoding"), "");
    let (plain, open) = (plain.text(), openmetrics(&app).await);
    assert!(open.ends_with("\n# EOF\n") && !plain.contains("# EOF"));
    assert!(open.lines().all(|line| !line.is_empty()));

    let names = |text: &str| -> BTreeSet<String> {
        let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        samples.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&plain), names(&open));
    for (text, total) in [(&plain, "_total"), (&open, "")] {
        let typed = format!("# TYPE endpoint_budget_exceeded{total} counter");
        assert!(text.lines().any(|line| line == typed), "{typed}");
    }
    // Each family stands together, after its type, which is said once.
    for text in [&plain, &open] {
        let types: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE ")).collect();
        assert_eq!(types.len(), types.iter().collect::<BTreeSet<_>>().len(), "a type said twice");
    }
    app.finish().await;
}
