//! What is seen while a day is replayed: the provider's counts, the service's metrics and backlog,
//! what each process uses. It feeds the progress line and the report's charts.
//!
//! Never here: anything that the replay waits for (`drain`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contract::{Endpoint, Journey};
use serde::Deserialize;
use stack::Usage;
use stack::provider::State;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::live::Live;
use super::target::Target;
use crate::client::{Client, ClientError};
use crate::engine::machine::Second;
use crate::engine::{Ledger, Row};
use crate::exit::Failure;
use crate::inside::{Inside, Observed, Place};
use crate::progress::{Status, Step, time_left};
use crate::report::ProcessRow;
use crate::report::units::latency;
use crate::scrape::{Buckets, Metrics};

/// Between two looks at the provider.
const LOOK: Duration = Duration::from_millis(250);
/// Looks between two samples of the processes and of the metrics: a second.
const SAMPLE_EVERY: u32 = 4;
/// Looks between two counts of the backlog, which cost the service some statements.
const BACKLOG_EVERY: u32 = 20;
/// A look that takes longer is skipped: the service is busy, and a look must not wait for it.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// A process that is watched: what it has used so far, or nothing when it is gone.
pub struct Watched {
    /// Its name in the report.
    pub name: String,
    /// Reads what it has used.
    pub usage: Box<dyn Fn() -> Option<Usage> + Send + Sync>,
}

/// How much work stands before each stage, as the service counts it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Backlog {
    pub(crate) due: u64,
    pub(crate) ready: u64,
    pub(crate) leased: u64,
    pub(crate) unresolved: u64,
    pub(crate) items: u64,
    pub(crate) unfolded: u64,
}

impl Backlog {
    /// True when nothing is left to do.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Seconds since the start, and texts accepted until then.
    pub(crate) accepted: Vec<(f64, u64)>,
    /// For each process: seconds since the start, bytes, and processor seconds.
    pub(crate) usage: BTreeMap<String, Vec<(f64, u64, f64)>>,
    /// What the service said of itself.
    pub(crate) observed: Observed,
    /// What the machine did, second by second.
    pub(crate) seconds: Vec<Second>,
}

/// Looks around from the start of a replay to the end of its drain.
pub(crate) struct Watch {
    provider: Client,
    /// Of the first process, which counts the backlog.
    admin: Client,
    inside: Inside,
    live: Arc<Live>,
    watched: Arc<Vec<Watched>>,
    ledger: Arc<Ledger>,
    /// Metrics before the day, so that what is shown is the day's.
    before: Metrics,
    accepted_before: u64,
    start: Instant,
    schedule: Duration,
    step: Step,
    seen: Seen,
    behind: u64,
    note: Note,
}

/// What a watch is begun with.
pub(crate) struct Begin {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) live: Arc<Live>,
    pub(crate) before: Metrics,
    pub(crate) accepted_before: u64,
    pub(crate) start: Instant,
    pub(crate) schedule: Duration,
    pub(crate) messages: u64,
}

impl Watch {
    pub(crate) fn new(
        target: &Target,
        watched: Arc<Vec<Watched>>,
        begin: Begin,
    ) -> Result<Self, Failure> {
        let Begin { ledger, live, before, accepted_before, start, schedule, messages } = begin;
        let places = target.admin.iter().map(|address| Place::admin(address)).collect();
        let client = |address: &str| -> Result<Client, Failure> {
            Ok(Client::new(address, None)?.within(LOOK_MAX))
        };
        Ok(Self {
            provider: client(&target.provider)?,
            admin: client(target.admin.first().map_or("", String::as_str))?,
            inside: Inside::new(places, Vec::new())?,
            live,
            watched,
            ledger,
            before,
            accepted_before,
            start,
            schedule,
            step: Step::begin("replay", "messages", messages),
            seen: Seen::default(),
            behind: 0,
            note: Note::default(),
        })
    }

    /// Looks around until told to stop; returns what was seen, with the step to be ended.
    pub(crate) async fn run(mut self, over: CancellationToken) -> (Seen, Step) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut count = 0_u32;
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                () = over.cancelled() => break,
            }
            // A look that fails is skipped: what matters is judged elsewhere.
            if let Ok(state) = self.provider.get::<State>("/control/state").await {
                self.accepted(state.accepted.saturating_sub(self.accepted_before));
            }
            if count.is_multiple_of(SAMPLE_EVERY) {
                self.sample();
                self.read_metrics().await;
            }
            if count % BACKLOG_EVERY == BACKLOG_EVERY - 1
                && let Ok(backlog) = self.admin.get::<Backlog>("/admin/backlog").await
            {
                self.behind = backlog.due + backlog.items;
            }
            self.show();
            count = count.wrapping_add(1);
        }
        self.sample();
        self.read_metrics().await;
        self.inside.resolve_rest(&self.ledger, &*self.live).await;
        self.seen.observed = self.inside.observed();
        (self.seen, self.step)
    }

    fn elapsed(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    fn accepted(&mut self, accepted: u64) {
        let at = self.elapsed();
        self.seen.accepted.push((at, accepted));
    }

    fn sample(&mut self) {
        let at = self.elapsed();
        for watched in self.watched.iter() {
            if let Some(usage) = (watched.usage)() {
                let cpu = (usage.cpu_user + usage.cpu_system).as_secs_f64();
                let series = self.seen.usage.entry(watched.name.clone()).or_default();
                series.push((at, usage.resident_bytes, cpu));
            }
        }
    }

    async fn read_metrics(&mut self) {
        let start = self.start;
        self.inside.look(|| start.elapsed().as_secs_f64()).await;
        self.inside.resolve(&self.ledger, &*self.live).await;
        if let Some(now) = self.inside.latest() {
            self.note = note(&self.ledger.rows(), &now, &self.before);
        }
    }

    fn show(&mut self) {
        let done = self.seen.accepted.last().map_or(0, |(_, accepted)| *accepted);
        let per_second = self.step.rate(done);
        let schedule_left = self.schedule.saturating_sub(self.start.elapsed());
        // What one second brings is no arrears.
        let behind = self.behind.saturating_sub(per_second as u64);
        let left = time_left(schedule_left, behind, per_second);
        let Note { full: note, short: short_note } = self.note.clone();
        self.step.show(&Status { done, per_second, note, short_note, left });
    }
}

/// The metrics of all processes, added up.
pub(crate) async fn scrape(admin: &mut [Client]) -> Result<Metrics, ClientError> {
    let mut all = Metrics::default();
    for client in admin {
        all.add(Metrics::parse(&client.text("/metrics").await?));
    }
    Ok(all)
}

/// The p99 of each critical path against its objective.
#[derive(Debug, Clone, Default, PartialEq)]
struct Note {
    /// Both as they are.
    full: String,
    /// The one as a share of the other.
    short: String,
}

fn note(rows: &[Row], now: &Metrics, before: &Metrics) -> Note {
    let mut paths = Vec::new();
    for (name, endpoint) in
        [("book", Endpoint::UpsertAppointments), ("cancel", Endpoint::CancelAppointment)]
    {
        if let Some(row) = rows.iter().find(|row| row.label.name == endpoint.name())
            && row.counts.total > 0
        {
            paths.push((name, row.response.p99, row.label.objective));
        }
    }
    for (name, journey) in [
        ("send", Journey::DueToHandedOver),
        ("receipt", Journey::HandedOverToReceipt),
        ("reply", Journey::ReplyToShown),
    ] {
        let objective = Duration::from_millis(u64::from(journey.spec().latency_ms));
        if let Some(p99) = journey_of(journey, now, before).quantile(0.99) {
            paths.push((name, p99, objective));
        }
    }
    Note::of(&paths)
}

impl Note {
    /// Nothing where nothing was measured.
    fn of(paths: &[(&str, f64, Duration)]) -> Self {
        if paths.is_empty() {
            return Self::default();
        }
        let all = |shown: fn(&(&str, f64, Duration)) -> String| {
            paths.iter().map(shown).collect::<Vec<_>>().join(", ")
        };
        Self {
            full: format!("p99 {}", all(|(name, p99, objective)| against(name, *p99, *objective))),
            short: format!(
                "p99/objective: {}",
                all(|(name, p99, objective)| {
                    format!("{name} {}", share(p99 / objective.as_secs_f64()))
                })
            ),
        }
    }
}

fn against(name: &str, p99: f64, objective: Duration) -> String {
    format!("{name} {} of {}", latency(p99), latency(objective.as_secs_f64()))
}

/// In at most five characters.
fn share(ratio: f64) -> String {
    if ratio < 9.995 { format!("{:.0}%", ratio * 100.0) } else { ">999%".to_owned() }
}

/// A journey's histogram since the replay began.
pub(crate) fn journey_of(journey: Journey, now: &Metrics, before: &Metrics) -> Buckets {
    let labels = [("journey", journey.name())];
    let family = "journey_duration_seconds";
    now.buckets(family, &labels).since(&before.buckets(family, &labels))
}

impl Seen {
    /// What each process used: processor time from the first sample to the last, memory by quarter.
    pub(crate) fn processes(&self) -> Vec<ProcessRow> {
        self.usage.iter().map(|(name, samples)| process(name, samples)).collect()
    }
}

fn process(name: &str, samples: &[(f64, u64, f64)]) -> ProcessRow {
    let (first, last) = (samples.first(), samples.last());
    let cpu = first.zip(last).map_or(0.0, |(first, last)| last.2 - first.2);
    let end = last.map_or(0.0, |last| last.0).max(1e-9);
    let quarter = |n: f64| {
        let within = |at: f64| at >= end * n / 4.0 && at <= end * (n + 1.0) / 4.0;
        let bytes: Vec<u64> =
            samples.iter().filter(|(at, ..)| within(*at)).map(|(_, bytes, _)| *bytes).collect();
        bytes.iter().sum::<u64>() / bytes.len().max(1) as u64
    };
    ProcessRow {
        name: name.to_owned(),
        cpu_seconds: cpu,
        memory_max_bytes: samples.iter().map(|(_, bytes, _)| *bytes).max().unwrap_or(0),
        memory_quarters_bytes: [0.0, 1.0, 2.0, 3.0].map(quarter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_by_quarter_and_processor_time_from_the_first_sample() {
        let samples: Vec<_> =
            (0..=100_u32).map(|s| (f64::from(s), u64::from(s) * 10, f64::from(s) + 5.0)).collect();
        let row = process("service", &samples);
        assert_eq!(row.memory_max_bytes, 1_000);
        assert_eq!(row.memory_quarters_bytes, [125, 375, 625, 875]);
        assert!((row.cpu_seconds - 100.0).abs() < 1e-9);
        let nothing = process("gone", &[]);
        assert_eq!((nothing.memory_max_bytes, nothing.growth()), (0, None));
    }

    #[test]
    fn the_note_holds_each_critical_path_against_its_objective() {
        let bucket = |le: &str| {
            let labels = format!("{{journey=\"due_to_handed_over\",le=\"{le}\"}}");
            format!("journey_duration_seconds_bucket{labels} 100\n")
        };
        let text = bucket("0.5") + &bucket("+Inf");
        let now = Metrics::parse(&text);
        let said = note(&[], &now, &Metrics::default());
        assert_eq!(said.full, "p99 send 495 ms of 5.00 s");
        assert_eq!(said.short, "p99/objective: send 10%");
        assert_eq!(note(&[], &now, &now), Note::default(), "nothing since the replay began");
    }

    #[test]
    fn in_short_all_critical_paths_fit_into_80_columns_however_late_they_are() {
        let second = Duration::from_secs(1);
        let names = ["book", "cancel", "send", "receipt", "reply"];
        let said = Note::of(&names.map(|name| (name, 99.0, second)));
        let expected = "p99/objective: \
                        book >999%, cancel >999%, send >999%, receipt >999%, reply >999%";
        assert_eq!(said.short, expected);
        assert!(said.short.chars().count() <= 80, "{}", said.short.len());
        assert!(said.full.starts_with("p99 book 99.0 s of 1.00 s, cancel"), "{}", said.full);
    }
}
