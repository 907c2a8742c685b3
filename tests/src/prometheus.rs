//! A real Prometheus for a test: started on a free port, scraping what the test names, asked over
//! its HTTP interface, and gone with its handle.
//!
//! Belongs here: starting it and asking it. Never here: which series or alerts there must be (the
//! tests), and Alertmanager ([`crate::alertmanager`]).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
pub use stack::prometheus::PrometheusConfig;
use stack::{Process, RunDir};

use crate::client::Client;
use crate::wait::until;

/// A series at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its labels; `__name__` is its name, where the expression leaves it one.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// A series over a stretch of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Seconds since the epoch, and the value then.
    pub points: Vec<(f64, f64)>,
}

/// A running Prometheus; it ends with this, whatever happens.
#[derive(Debug)]
pub struct Prometheus {
    /// Where it listens.
    pub address: SocketAddr,
    process: Process,
    client: Client,
}

impl Prometheus {
    /// Starts one, and waits until it answers.
    ///
    /// # Panics
    /// When it isn't installed or doesn't get ready; with its log.
    pub async fn start(config: &PrometheusConfig) -> Self {
        let run = RunDir::create(None).unwrap_or_else(|error| panic!("{error}"));
        let started = config.start(&run).await;
        let (address, process) = started
            .unwrap_or_else(|error| panic!("{error} (`.ci/setup tests` installs it on Debian)"));
        Self { address, process, client: Client::new(address, address) }
    }

    /// What an expression gives now.
    ///
    /// # Errors
    /// What Prometheus has against it.
    pub async fn query(&self, expression: &str) -> Result<Vec<Sample>, String> {
        let data = self.ask("query", &[("query", expression)]).await?;
        if data["resultType"] == "scalar" {
            let value = number(&data["result"][1]);
            return Ok(vec![Sample { labels: BTreeMap::new(), value }]);
        }
        let series = list(&data["result"]);
        let read = |one: &Value| Sample { labels: labels(one), value: number(&one["value"][1]) };
        Ok(series.iter().map(read).collect())
    }

    /// What an expression gave over a stretch of time, in seconds since the epoch.
    ///
    /// # Errors
    /// What Prometheus has against it.
    pub async fn query_range(
        &self,
        expression: &str,
        from: f64,
        to: f64,
        step: Duration,
    ) -> Result<Vec<Series>, String> {
        let (from, to) = (from.to_string(), to.to_string());
        let step = step.as_secs_f64().to_string();
        let fields = [("query", expression), ("start", &from), ("end", &to), ("step", &step)];
        let data = self.ask("query_range", &fields).await?;
        let point = |pair: &Value| (number(&pair[0]), number(&pair[1]));
        let read = |one: &Value| Series {
            labels: labels(one),
            points: list(&one["values"]).iter().map(point).collect(),
        };
        Ok(list(&data["result"]).iter().map(read).collect())
    }

    /// The exemplars of the series in an expression, as Prometheus lists them.
    ///
    /// # Errors
    /// What Prometheus has against it.
    pub async fn query_exemplars(
        &self,
        expression: &str,
        from: f64,
        to: f64,
    ) -> Result<Vec<Value>, String> {
        let (from, to) = (from.to_string(), to.to_string());
        let fields = [("query", expression), ("start", &from), ("end", &to)];
        Ok(list(&self.ask("query_exemplars", &fields).await?).to_vec())
    }

    /// The rules that it has loaded, as it lists them: names, expressions, labels, annotations.
    ///
    /// # Panics
    /// When it doesn't answer.
    pub async fn rules(&self) -> Vec<Value> {
        let answer = self.client.get("/api/v1/rules").anonymous().send().await.json(200);
        let groups = list(&answer["data"]["groups"]);
        groups.iter().flat_map(|group| list(&group["rules"])).cloned().collect()
    }

    /// Waits until an expression gives something that will do, and returns it.
    ///
    /// # Panics
    /// When it doesn't soon, or Prometheus refuses the expression.
    pub async fn until(
        &self,
        expression: &str,
        will_do: impl Fn(&[Sample]) -> bool,
    ) -> Vec<Sample> {
        until(expression, async || {
            let found = self.query(expression).await.unwrap_or_else(|error| panic!("{error}"));
            will_do(&found).then_some(found)
        })
        .await
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// Asks one of its endpoints, and takes the data out of the answer.
    async fn ask(&self, endpoint: &str, fields: &[(&str, &str)]) -> Result<Value, String> {
        let path = format!("/api/v1/{endpoint}");
        let call = self.client.call(http::Method::POST, &path).anonymous().form(fields);
        let answer = call.send().await;
        let mut body: Value = serde_json::from_slice(&answer.body)
            .map_err(|error| format!("{error}: {}", answer.text()))?;
        if body["status"] == "success" {
            Ok(body["data"].take())
        } else {
            Err(format!("{}: {fields:?}", body["error"]))
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Samples' values are texts, as JSON has no infinity; times are numbers.
fn number(value: &Value) -> f64 {
    let text = value.as_str().map(|text| text.parse().expect("a sample's value is a number"));
    text.or_else(|| value.as_f64()).expect("a sample has a value")
}

fn labels(series: &Value) -> BTreeMap<String, String> {
    let pairs = series["metric"].as_object().into_iter().flatten();
    pairs
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}
