//! Every query of every dashboard against a real Prometheus that scrapes the service at work: none
//! is refused, none shows nothing, none shows only NaN, none shows more lines than can be read.
//!
//! There is no list of panels that may be empty: everything that can exist exists at zero, and the
//! load below brings about the rest. Nor is there a panel that can't be: `lint` sees to it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use contract::{Endpoint, Family};
use serde_json::Value;
use stack::RunDir;
use stack::provider::{Fates, Options};
use tests::metrics::Scrape;
use tests::practice::FIRST_DUE;
use tests::prometheus::{Prometheus, PrometheusConfig};
use tests::{Machine, Practice, SOON, TestApp, appointment, at, until};
use tokio::task::JoinSet;

use super::file::{Dashboard, dashboards, list, root, text};
use super::promql::Parsed;
use super::{rules, tables};
use crate::alerts::quick::quick_rules;

/// What Grafana makes of it at this scrape interval (a second) is four seconds; a machine under
/// load may miss some.
const RATE_INTERVAL: &str = "15s";

/// More lines in one panel can't be told apart.
const LINES_MAX: usize = 30;

/// More entries in one list aren't chosen from any more; Grafana's lists can be searched.
const CHOICES_MAX: usize = 60;

/// Texts, each to a phone of its own.
const TEXTS: u32 = 20;

/// More at once than the interactive pool has connections, so that it opens new ones.
const READS: u32 = 40;

#[tokio::test]
async fn every_query_shows_something_under_load() {
    let all_say_yes = |options: Options| Options {
        fates: Fates { reply_yes_share: 1.0, ..options.fates },
        ..options
    };
    let app = TestApp::with().replica().replies().provider(all_say_yes).start().await;
    // Two processes, as in compose.yaml: what is drawn for each has its lines twice.
    let other = app.another(&[]).await;
    let targets = vec![app.client.admin, other.client.admin];
    let machines = vec![Machine::start().await.address];
    // With an alert that always fires: where none does, no rules are evaluated. Prometheus tells of
    // none before their third round, so rounds follow each other quickly.
    let run = RunDir::create(None).unwrap();
    let rule_files = quick_rules(&run, "/presence.rules.yaml");
    let config = PrometheusConfig { targets, machines, rule_files, ..Default::default() };
    let prometheus = Prometheus::start(&config).await;
    let shown = Shown { prometheus, from: now() };
    shown.tells_what_is_wrong().await;
    // A look at both at rest: what has no first sample can't be seen to rise.
    let both = "count(count by (instance) (stage_items_total)) == 2";
    shown.prometheus.until(both, |found| !found.is_empty()).await;
    let one = app.practice(1).await;
    load(&app, &one).await;

    // What the database alone knows is seen by the next look at it.
    let scrape = until("the replica is seen", async || {
        let scrape = app.scrape().await;
        scrape.has("replica_lag_seconds", &[]).then_some(scrape)
    })
    .await;
    rules::check(&scrape);
    // What can exist was there at zero, or its first event is one that no rate shows.
    let known = before_any_work().await;
    let late: Vec<_> = series(&scrape).difference(&known).cloned().collect();
    assert!(late.is_empty(), "series that came with their first event: {late:#?}");
    let mut asked = Vec::new();
    let boards = dashboards();
    for board in &boards {
        asked.extend(of_panels(board));
        asked.extend(of_the_page(board));
    }
    shown.all(asked).await;
    shown.examples_lead_to_requests(&boards).await;
    shown.a_stream_is_drawn_by_its_first_byte(&app, &boards).await;
    other.stop().await;
    app.finish().await;
}

/// Statements by pool and outcome.
fn series(scrape: &Scrape) -> BTreeSet<BTreeMap<String, String>> {
    let of_statements = scrape.all("db_client_operation_duration_seconds_count", &[]);
    of_statements.map(|sample| sample.labels.clone()).collect()
}

/// The same of a process that has not reached its database.
async fn before_any_work() -> BTreeSet<BTreeMap<String, String>> {
    let nobody = "postgres://punctual@127.0.0.1:1/punctual";
    let setup = TestApp::with().replica().env("PUNCTUAL_DATABASE_URL", nobody);
    let TestApp { service, .. } = setup.start_unready().await;
    let known = series(&service.scrape().await);
    service.kill().await;
    known
}

/// Booked, due, sent, delivered, answered and cancelled; read by many at once; audited.
async fn load(app: &TestApp, one: &Practice) {
    let id = |n: u32| format!("a-{n}");
    let many: Vec<_> = (0..TEXTS).map(|n| appointment(&id(n)).phone(n)).collect();
    one.send(&many).await;
    app.hold(at(FIRST_DUE)).await;
    for n in 0..TEXTS {
        one.until(&id(n), 1, "answered", |reminder| reminder["reply"] == "yes").await;
    }
    one.cancel(&id(0)).await;
    let mut reads = JoinSet::new();
    for n in 0..READS {
        let one = one.clone();
        reads.spawn(async move { one.appointment(&id(n % TEXTS)).await });
    }
    reads.join_all().await;
    one.messages().await;
    one.counts("2026-05-05", 1).await;
    app.idle().await;
    app.audit().await;
}

/// A query with where it is from.
struct Asked {
    place: String,
    expr: String,
    /// Labels that are named over its lines.
    labels: Vec<String>,
    lines_max: usize,
}

fn of_panels(board: &Dashboard) -> Vec<Asked> {
    let ask = |query: super::file::Query| {
        let (labels, lines_max) = match query.panel.as_str() {
            "timeseries" | "stat" => (labels(&query.legend), LINES_MAX),
            "table" => (Vec::new(), tables::LINES_MAX),
            // A heat map has as many as there are buckets.
            _ => (Vec::new(), usize::MAX),
        };
        let expr = board.substituted(&query.expr, RATE_INTERVAL);
        Asked { place: query.place, expr, labels, lines_max }
    };
    board.queries().into_iter().map(ask).collect()
}

/// What is asked for the page as a whole: what can be chosen, and the marks.
fn of_the_page(board: &Dashboard) -> Vec<Asked> {
    let ask = |what: &Value, expr: String| Asked {
        place: format!("{} / {}", board.uid, text(&what["name"])),
        expr: board.substituted(&expr, RATE_INTERVAL),
        labels: Vec::new(),
        lines_max: CHOICES_MAX,
    };
    let queries = board.variables().iter().filter(|one| one["type"] == "query");
    let values = queries.map(|one| {
        let query = text(&one["query"]["query"]);
        let selector = rules::selector_of(query).unwrap_or_else(|| panic!("not known: {query}"));
        ask(one, format!("count by ({}) ({selector})", text(&one["name"])))
    });
    let marks =
        board.annotations().iter().map(|one| ask(one, text(&one["target"]["expr"]).to_owned()));
    values.chain(marks).collect()
}

/// The labels in a legend such as `{{pool}} p99`.
fn labels(legend: &str) -> Vec<String> {
    let parts = legend.split("{{").skip(1);
    parts.map(|part| part.split("}}").next().unwrap_or_default().to_owned()).collect()
}

/// What a query shows.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    Refused(String),
    Nothing,
    OnlyNan,
    TooMany(usize),
    /// Lines lack a label that their legend names.
    Unnamed(String),
    Good,
}

/// What was scraped since a time.
struct Shown {
    prometheus: Prometheus,
    from: f64,
}

impl Shown {
    /// Asks until all are good: what is only not scraped yet comes soon.
    async fn all(&self, mut asked: Vec<Asked>) {
        let deadline = Instant::now() + SOON;
        let mut wrong = BTreeMap::new();
        loop {
            wrong.clear();
            for one in &asked {
                let look = self.look(one).await;
                if look != Look::Good {
                    wrong.insert(one.place.clone(), (look, one.expr.clone()));
                }
            }
            asked.retain(|one| wrong.contains_key(&one.place));
            let can_come =
                |(look, _): &(Look, String)| matches!(look, Look::Nothing | Look::OnlyNan);
            if asked.is_empty() || !wrong.values().all(can_come) || Instant::now() > deadline {
                break;
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    async fn look(&self, asked: &Asked) -> Look {
        // To the step after now: the last one before may be before the only sample.
        let (step, to) = (Duration::from_secs(1), now() + 1.0);
        let series = match self.prometheus.query_range(&asked.expr, self.from, to, step).await {
            Ok(series) => series,
            Err(error) => return Look::Refused(error),
        };
        let mut values = series.iter().flat_map(|one| &one.points).map(|(_, value)| value);
        let lacks = |label: &String| series.iter().any(|one| !one.labels.contains_key(label));
        if series.is_empty() {
            Look::Nothing
        } else if values.all(|value| value.is_nan()) {
            Look::OnlyNan
        } else if series.len() > asked.lines_max {
            Look::TooMany(series.len())
        } else if let Some(label) = asked.labels.iter().find(|label| lacks(label)) {
            Look::Unnamed(label.clone())
        } else {
            Look::Good
        }
    }

    /// Nothing above passes because nothing can fail.
    async fn tells_what_is_wrong(&self) {
        // Two processes and a machine.
        self.prometheus.until("up", |found| found.len() == 3).await;
        let ask = |expr: &str, labels: &[&str], lines_max| Asked {
            place: String::new(),
            expr: expr.to_owned(),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            lines_max,
        };
        let look = async |expr, labels, lines_max| self.look(&ask(expr, labels, lines_max)).await;
        assert!(matches!(look("sum(", &[], 9).await, Look::Refused(_)));
        assert_eq!(look("a_series_of_nobody", &[], 9).await, Look::Nothing);
        assert_eq!(look("0 * up / 0", &[], 9).await, Look::OnlyNan);
        assert_eq!(look("up", &[], 1).await, Look::TooMany(3));
        assert_eq!(look("up", &["pool"], 9).await, Look::Unnamed("pool".to_owned()));
        assert_eq!(look("up", &["job"], 9).await, Look::Good);
    }

    /// What is held against the objective is what it judges: a page that is left open for some
    /// pushes, each a second after the other, has begun at once.
    async fn a_stream_is_drawn_by_its_first_byte(&self, app: &TestApp, boards: &[Dashboard]) {
        let mut page = app.events("/live/events").await;
        for _ in 0..3 {
            page.next().await;
        }
        drop(page);
        let route = Endpoint::StreamLive.name();
        let of = |family: Family| {
            format!(
                "histogram_quantile(0.99, sum by (http_route, le) \
                 (rate({}_bucket{{http_route=\"{route}\"}}[{RATE_INTERVAL}])))",
                family.name()
            )
        };
        let first = of(Family::HttpServerTimeToFirstByte);
        let whole = of(Family::HttpServerRequestDuration);
        let mut drawn = 0;
        for board in boards {
            let queries = board.queries();
            let is_p99 = |query: &&super::file::Query| {
                query.place.contains(" against the objective /") && query.legend.ends_with(" p99")
            };
            for query in queries.iter().filter(is_p99) {
                let expr = query.expr.replace("$http_route", route);
                let expr = board.substituted(&expr, RATE_INTERVAL);
                let as_judged = format!("({expr}) == on (http_route) {first}");
                let and_no_longer = format!("({as_judged}) < on (http_route) {whole}");
                self.prometheus.until(&and_no_longer, |found| !found.is_empty()).await;
                drawn += 1;
            }
        }
        assert_eq!(drawn, 1, "the panel has another name");
    }

    /// Families that panels ask for examples have some, each with the label that the data source's
    /// provisioning makes a link of. (Work that no request is the reason of leaves none.)
    async fn examples_lead_to_requests(&self, boards: &[Dashboard]) {
        let label = linked_label();
        let mut found: BTreeMap<String, usize> = BTreeMap::new();
        for board in boards {
            for query in board.queries().iter().filter(|query| query.has_exemplars) {
                let expr = board.substituted(&query.expr, RATE_INTERVAL);
                for series in
                    self.prometheus.query_exemplars(&expr, self.from, now()).await.unwrap()
                {
                    for example in list(&series["exemplars"]) {
                        let trace = text(&example["labels"][&label]);
                        assert_eq!(trace.len(), 32, "{}: {example}", query.place);
                    }
                }
                let name = Parsed::read(&expr).unwrap().names().remove(0);
                let series =
                    self.prometheus.query_exemplars(&name, self.from, now()).await.unwrap();
                found.insert(name, series.len());
            }
        }
        assert!(!found.is_empty() && found.values().all(|series| *series > 0), "{found:?}");
    }
}

/// The label whose value becomes a link to `/debug/requests`.
fn linked_label() -> String {
    let path = root().join("dashboards/provisioning/datasources/punctual.yaml");
    let file: Value = yaml_serde::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let links = list(&file["datasources"][0]["jsonData"]["exemplarTraceIdDestinations"]);
    for link in links {
        assert!(text(&link["url"]).ends_with("/debug/requests/$${__value.raw}"), "{link}");
    }
    text(&links[0]["name"]).to_owned()
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}
