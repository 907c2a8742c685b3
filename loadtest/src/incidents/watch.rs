//! Looking at a scenario as an operator's tools do: the series that alerts are made of, from
//! `/metrics` several times a second, and the alerts of a Prometheus.
//!
//! Never here: what must be seen; each scenario says that of itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::facts::{Alert, Found, Seen};
use crate::client::Client;
use crate::exit::Failure;
use crate::scrape::Metrics;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// A look that takes longer is skipped.
const LOOK_MAX: Duration = Duration::from_secs(2);
/// Between two questions to Prometheus, which evaluates every second.
const ASK: Duration = Duration::from_millis(500);
/// After a scenario, Prometheus has scraped and evaluated once more within this.
const EVALUATED_WITHIN: Duration = Duration::from_millis(2_500);
/// What is read of the metrics.
const FAMILIES: [&str; 10] = [
    "db_client_connections",
    "db_route_decisions_total",
    "http_server_active_requests",
    "id_space_used_ratio",
    "limit_used_ratio",
    "messages_total",
    "oldest_pending_seconds",
    "pending_messages",
    "slo_",
    "http_server_request_duration_seconds_",
];

/// Labels of alerts that say nothing about what went wrong.
const OTHERS: [&str; 8] =
    ["burn", "instance", "job", "objective", "severity", "slo", "slo_tier", "window"];

/// How a series is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The largest value.
    Max,
    /// How much it rose since the beginning.
    Rise,
    /// How many more there were than good ones, since the beginning: the second family's.
    Bad(&'static str),
}

/// A series that says that something is wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Signal {
    pub(super) family: &'static str,
    pub(super) labels: &'static [(&'static str, &'static str)],
    pub(super) by: By,
    /// From this value on it says so.
    pub(super) from: f64,
}

/// Somebody who looks, until told to stop.
pub(super) struct Watch {
    seen: Arc<Mutex<Vec<Seen>>>,
    /// None without a Prometheus.
    alerts: Option<Arc<Mutex<Vec<Alert>>>>,
    over: CancellationToken,
    tasks: JoinSet<()>,
}

#[derive(Deserialize)]
struct Alerts {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    alerts: Vec<Raised>,
}

#[derive(Deserialize)]
struct Raised {
    labels: std::collections::BTreeMap<String, String>,
    state: String,
    #[serde(rename = "activeAt")]
    active_at: Timestamp,
}

/// Reads the metrics of a process.
pub(super) async fn metrics(admin: &mut Client) -> Result<Metrics, Failure> {
    Ok(Metrics::parse_some(&admin.text("/metrics").await?, &FAMILIES))
}

impl Watch {
    /// Begins to look.
    pub(super) async fn begin(
        admin: &str,
        prometheus: Option<&str>,
        signals: &'static [Signal],
    ) -> Result<Self, Failure> {
        let mut client = Client::new(admin, None)?.within(LOOK_MAX);
        let before = metrics(&mut client).await?;
        let seen = Arc::new(Mutex::new(signals.iter().map(Signal::unseen).collect::<Vec<_>>()));
        let over = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(look(client, before, signals, Arc::clone(&seen), over.clone()));
        let mut alerts = None;
        if let Some(address) = prometheus {
            let raised = Arc::default();
            let client = Client::new(address, None)?.within(LOOK_MAX);
            tasks.spawn(ask(client, Arc::clone(&raised), over.clone()));
            alerts = Some(raised);
        }
        Ok(Self { seen, alerts, over, tasks })
    }

    /// Waits until every signal has been seen, or for so long; says whether.
    pub(super) async fn until_seen(&self, within: Duration) -> bool {
        let until = Instant::now() + within;
        loop {
            let is_all = {
                let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.iter().all(|seen| seen.after_seconds.is_some())
            };
            if is_all || Instant::now() >= until {
                return is_all;
            }
            sleep(LOOK).await;
        }
    }

    /// Waits until an alert has been raised, or for so long; says whether, or nothing without a
    /// Prometheus.
    pub(super) async fn until_told(&self, name: &str, within: Duration) -> Option<bool> {
        let alerts = self.alerts.as_ref()?;
        let until = Instant::now() + within;
        loop {
            let is_told = {
                let raised = alerts.lock().unwrap_or_else(PoisonError::into_inner);
                raised.iter().any(|alert| alert.name == name)
            };
            if is_told || Instant::now() >= until {
                return Some(is_told);
            }
            sleep(LOOK).await;
        }
    }

    /// Stops looking, and notes what was seen.
    pub(super) async fn end(mut self, found: &mut Found) {
        if self.alerts.is_some() {
            sleep(EVALUATED_WITHIN).await;
        }
        self.over.cancel();
        while self.tasks.join_next().await.is_some() {}
        found.seen.append(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(alerts) = &self.alerts {
            found.raise(&mut alerts.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// Looks at the metrics until told to stop.
async fn look(
    mut client: Client,
    before: Metrics,
    signals: &'static [Signal],
    seen: Arc<Mutex<Vec<Seen>>>,
    over: CancellationToken,
) {
    let began = Instant::now();
    let mut looks = interval(LOOK);
    while over.run_until_cancelled(looks.tick()).await.is_some() {
        // One that fails is made up for by the next one.
        let Ok(now) = metrics(&mut client).await else { continue };
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (signal, seen) in signals.iter().zip(seen.iter_mut()) {
            seen.note(signal.read(&now, &before), began.elapsed());
        }
    }
}

/// Asks Prometheus until told to stop: an alert that is over is one all the same.
async fn ask(mut client: Client, raised: Arc<Mutex<Vec<Alert>>>, over: CancellationToken) {
    let began = Timestamp::now();
    let mut asks = interval(ASK);
    while over.run_until_cancelled(asks.tick()).await.is_some() {
        let Ok(alerts) = client.get::<Alerts>("/api/v1/alerts").await else { continue };
        let mut raised = raised.lock().unwrap_or_else(PoisonError::into_inner);
        merge(&mut raised, alerts.data.since(began));
    }
}

/// Adds alerts to those that are known; of the same one, the firing one counts.
pub(super) fn merge(known: &mut Vec<Alert>, more: Vec<Alert>) {
    for alert in more {
        let same = |one: &&mut Alert| (&one.name, &one.about) == (&alert.name, &alert.about);
        match known.iter_mut().find(same) {
            Some(one) if one.state == PENDING => one.state.clone_from(&alert.state),
            Some(_) => {}
            None => known.push(alert),
        }
    }
}

/// An alert that has not held for as long as its rule says.
const PENDING: &str = "pending";

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

impl Data {
    /// What was raised since an instant, the first first; of several about the same, the first.
    fn since(self, began: Timestamp) -> Vec<Alert> {
        let mut alerts: Vec<Alert> = Vec::new();
        for raised in self.alerts.into_iter().filter(|raised| raised.active_at >= began) {
            let mut labels = raised.labels;
            let name = labels.remove("alertname").unwrap_or_default();
            for other in OTHERS {
                labels.remove(other);
            }
            let pairs = labels.into_iter().map(|(name, value)| format!("{name}={value}"));
            let after = raised.active_at.duration_since(began).as_secs_f64();
            let about = pairs.collect::<Vec<_>>().join(", ");
            alerts.push(Alert { name, state: raised.state, about, after_seconds: after });
        }
        alerts.sort_by(|a, b| a.after_seconds.total_cmp(&b.after_seconds));
        let mut known = Vec::new();
        merge(&mut known, alerts);
        known
    }
}

impl Signal {
    fn unseen(&self) -> Seen {
        Seen { signal: self.text(), from: self.from, highest: 0.0, after_seconds: None }
    }

    /// As Prometheus would be asked.
    fn text(&self) -> String {
        let labels = self.labels.iter().map(|(name, value)| format!("{name}=\"{value}\""));
        let labels = labels.collect::<Vec<_>>().join(",");
        let series = |family: &str| {
            if labels.is_empty() { family.to_owned() } else { format!("{family}{{{labels}}}") }
        };
        match self.by {
            By::Max => series(self.family),
            By::Rise => format!("rise of {}", series(self.family)),
            By::Bad(good) => format!("{} less {good}", series(self.family)),
        }
    }

    fn read(&self, now: &Metrics, before: &Metrics) -> f64 {
        let rise = |family: &str| now.sum(family, self.labels) - before.sum(family, self.labels);
        match self.by {
            By::Max => now.max(self.family, self.labels),
            By::Rise => rise(self.family),
            By::Bad(good) => rise(self.family) - rise(good),
        }
    }
}

impl Seen {
    fn note(&mut self, value: f64, after: Duration) {
        self.highest = self.highest.max(value);
        if value >= self.from && self.after_seconds.is_none() {
            self.after_seconds = Some(after.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: Signal = Signal {
        family: "slo_stage_items_total",
        labels: &[("stage", "release")],
        by: By::Bad("slo_good_stage_items_total"),
        from: 3.0,
    };

    fn metrics(all: u32, good: u32) -> Metrics {
        let line = |family: &str, n: u32| format!("{family}{{stage=\"release\"}} {n}\n");
        let text = line("slo_stage_items_total", all) + &line("slo_good_stage_items_total", good);
        Metrics::parse_some(&text, &FAMILIES)
    }

    #[test]
    fn a_signal_is_seen_from_its_value_on_and_once() {
        let mut seen = LATE.unseen();
        let before = metrics(10, 8);
        for (second, (all, good)) in [(12, 8), (15, 8), (15, 9)].into_iter().enumerate() {
            let value = LATE.read(&metrics(all, good), &before);
            seen.note(value, Duration::from_secs(second as u64));
        }
        assert_eq!((seen.highest, seen.after_seconds), (5.0, Some(1.0)));
        let expected = "slo_stage_items_total{stage=\"release\"} less slo_good_stage_items_total";
        assert_eq!(seen.signal, expected);
    }

    #[test]
    fn only_what_was_raised_meanwhile_is_told_and_once() {
        let text = r#"{"status":"success","data":{"alerts":[
            {"labels":{"alertname":"PunctualWatchdog","severity":"none"},"state":"firing",
             "activeAt":"2026-05-04T11:00:00Z","value":"1"},
            {"labels":{"alertname":"PunctualIdSpaceUsed","space":"x","severity":"critical"},
             "state":"pending","activeAt":"2026-05-04T12:00:05.5Z","value":"6e-1"},
            {"labels":{"alertname":"PunctualIdSpaceUsed","space":"x","severity":"warning"},
             "state":"pending","activeAt":"2026-05-04T12:00:05.5Z","value":"6e-1"}]}}"#;
        let alerts: Alerts = serde_json::from_str(text).expect("as Prometheus answers");
        let began = "2026-05-04T12:00:00Z".parse().expect("an instant");
        let expected = Alert {
            name: "PunctualIdSpaceUsed".to_owned(),
            state: "pending".to_owned(),
            about: "space=x".to_owned(),
            after_seconds: 5.5,
        };
        assert_eq!(alerts.data.since(began), [expected]);
    }
}
