//! Whether reports on a replica reach the primary: the same texts an hour of domain time, in turns
//! without reports, with the heaviest that there are, and, for control, with a neighbour in their
//! place that touches no database; and what claims took meanwhile.
//!
//! `reports_beside [apart] [feedback] [patient] [stranger]`, beside the programs that `cargo build
//! --bins` makes. With `apart` replicas have a processor of their own and everything else another
//! one, so that they share nothing but the log; without it they also share the processors.
//! `feedback` switches `hot_standby_feedback` on, which is off by default: what that would do. With
//! `patient` rounds are three minutes long and the statement that reads every text has a second
//! replica, whose replay waits for it as long as it takes; the service knows both. With `stranger`
//! the neighbour has that statement beside it, on a server with the same rows that follows nobody:
//! what differs from the reports then comes by the log, and what doesn't is the machine's.
//!
//! The reports: one statement that reads every text again and again for as long as the round goes
//! on, in one snapshot, begun again where replay ends it; and two readers of the service's own
//! reports. The neighbour: a thread on the service's processor that is as busy as the service was
//! with those, in as many pieces.
//!
//! After the table it prints where the statements of the reports went, by the service's counters.

#![expect(clippy::disallowed_methods, reason = "it looks into databases; it is not the service")]

mod neighbour;
mod old;
mod seen;
mod table;

use std::process::ExitCode;
use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use serde_json::{Value, json};
use stack::postgres::{Options, PostgresPair, Profile, Server};
use tests::practice::template;
use tests::{Practice, Sql, TestApp, TestDatabase, appointment, at, until};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use neighbour::Neighbour;
use seen::Seen;

/// In this order, so that what drifts hits all kinds alike. A neighbour is as busy as reports were.
const ORDER: [Kind; 6] =
    [Kind::Nothing, Kind::Reports, Kind::Neighbour, Kind::Neighbour, Kind::Reports, Kind::Nothing];
const PRACTICES: u32 = 8;
/// Texts a second, over all practices.
const TEXTS: u32 = 200;

/// How long and how often. A round is an hour of domain time.
#[derive(Debug, Clone, Copy)]
struct Rounds {
    /// Of each kind; one before them warms up.
    each: u32,
    seconds: u32,
}

impl Rounds {
    const USUAL: Self = Self { each: 4, seconds: 60 };
    const LONG: Self = Self { each: 2, seconds: 180 };

    fn all(self) -> u32 {
        self.each * Kind::ALL.len() as u32
    }

    fn length(self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }
}

/// What goes on beside the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    Reports,
    Neighbour,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Nothing, Self::Reports, Self::Neighbour];
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let known = ["apart", "feedback", "patient", "stranger"];
    if arguments.iter().any(|argument| !known.contains(&argument.as_str())) {
        eprintln!("usage: reports_beside [apart] [feedback] [patient] [stranger]");
        return ExitCode::from(2);
    }
    let feedback = if has("feedback") { "on" } else { "off" };
    let rounds = if has("patient") { Rounds::LONG } else { Rounds::USUAL };
    let options = Options::new(Profile::Demo).setting("hot_standby_feedback", feedback);
    let pair = PostgresPair::start(options).await.expect("PostgreSQL starts");
    if has("apart") {
        pin(pair.primary().pid(), 0);
        pin(pair.replica().pid(), 1);
    }
    let patient = if has("patient") { Some(patient(&pair).await) } else { None };
    if let Some(patient) = patient.as_ref().filter(|_| has("apart")) {
        pin(patient.pid(), 1);
    }
    let app = start(&pair, patient.as_ref(), rounds).await;
    if has("apart") {
        pin(Some(app.service.process.pid()), 0);
    }
    let stranger = if has("stranger") { Some(neighbour::stranger(&pair).await) } else { None };
    if let Some(stranger) = stranger.as_ref().filter(|_| has("apart")) {
        pin(stranger.pid(), 1);
    }
    let name = app.database.name();
    let scanned = Scanned {
        by_reports: patient.as_ref().unwrap_or(pair.replica()).url(name),
        by_neighbour: stranger.as_ref().map(|server| server.url(name)),
    };
    let shown = run(&pair, &app, &scanned, rounds, has("apart")).await;
    table::print(&shown, rounds);
    table::print_decisions(&app.scrape().await);
    let TestApp { service, simulator, database, .. } = app;
    service.stop().await;
    simulator.stop().await;
    drop(database);
    for server in [patient, stranger].into_iter().flatten() {
        server.stop_immediately().await;
    }
    pair.stop().await;
    ExitCode::SUCCESS
}

/// Keeps a process, its threads and its children on one processor. What it starts later stays there
/// too.
fn pin(pid: Option<u32>, processor: usize) {
    let Some(pid) = pid else { return };
    let mut only = CpuSet::new();
    only.set(processor).expect("there are two processors");
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    for thread in threads {
        let thread = thread.expect("it runs").file_name();
        let id: i32 = thread.to_string_lossy().parse().expect("threads are numbers");
        // One that has just ended needs none.
        let _ended = sched_setaffinity(Pid::from_raw(id), &only);
    }
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    for child in children.unwrap_or_default().split_whitespace() {
        pin(child.parse().ok(), processor);
    }
}

/// A replica whose replay waits for what reads, as one is set up that is there for long statements.
async fn patient(pair: &PostgresPair) -> Server {
    let server = pair.another_replica("patient").await.expect("a second replica starts");
    let client = server.connect("postgres").await.expect("it is there");
    let settings = ["ALTER SYSTEM SET max_standby_streaming_delay = -1", "SELECT pg_reload_conf()"];
    for statement in settings {
        client.batch_execute(statement).await.expect("it takes a setting");
    }
    server
}

async fn start(pair: &PostgresPair, patient: Option<&Server>, rounds: Rounds) -> TestApp {
    let database = TestDatabase::on(pair).await;
    let replicas: Vec<String> = std::iter::once(database.replica_url())
        .chain(patient.map(|server| server.url(database.name())))
        .collect();
    let app = TestApp::with()
        .database(database)
        .env("PUNCTUAL_DATABASE_REPLICA_URLS", replicas.join(","))
        .env("RUST_LOG", "warn")
        .start()
        .await;
    let mut practices = Vec::new();
    for id in 1..=PRACTICES {
        practices.push(app.practice_with(i64::from(id), one_rule).await);
    }
    for round in 0..=rounds.all() {
        for practice in &practices {
            book(practice, round, rounds).await;
        }
    }
    old::write(&app).await;
    pair.wait_until_caught_up(Duration::from_secs(120)).await.expect("the replica catches up");
    until("the replicas are read", async || {
        let readable = app.scrape().await.sum("db_server_readable", &[]);
        (readable >= replicas.len() as f64).then_some(())
    })
    .await;
    app
}

/// Due two hours before, spread over the hour, also late in the evening.
fn one_rule(settings: &mut Value) {
    settings["send_until"] = json!("23:00");
    settings["rules"] = json!([{
        "rule_id": 1, "name": "two_hours_before", "before_days": 0, "before_minutes": 120,
        "grouping_minutes": 60, "scatter_seconds": 3_600, "template": template(),
    }]);
}

/// What falls due in a round.
async fn book(practice: &Practice, round: u32, rounds: Rounds) {
    let starts = format!("2026-05-05T{:02}:59", 11 + round);
    let each = TEXTS * rounds.seconds / PRACTICES;
    let all: Vec<_> = (0..each)
        .map(|n| {
            let id = format!("r{round}-{n}");
            let phone = round * each + n;
            appointment(&id).starts(&starts).phone(phone)
        })
        .collect();
    for some in all.chunks(500) {
        practice.send(some).await;
    }
}

/// What one round showed.
struct Round {
    kind: Kind,
    texts: f64,
    /// Processor time of the service, in seconds.
    busy: f64,
    /// Milliseconds at p50 and p99, of each of [`MEASURED`].
    at: [[f64; 2]; MEASURED.len()],
    buffers: f64,
    /// Transactions by which the primary's oldest snapshot was behind, at the most of all seconds.
    oldest: i64,
    reports: u64,
    /// How often replay ended the statement that reads everything.
    ended: u64,
}

/// What is looked at: histograms of the service, all of the primary's side.
const MEASURED: [(&str, &str, &str, &str); 4] = [
    ("claim, batch", "stage_duration_seconds", "stage", "claim"),
    ("claim, lateness", "stage_lateness_seconds", "stage", "claim"),
    ("release, lateness", "stage_lateness_seconds", "stage", "release"),
    ("due to handed over", "journey_duration_seconds", "journey", "due_to_handed_over"),
];

/// Where the statement that reads everything goes.
struct Scanned {
    by_reports: String,
    by_neighbour: Option<String>,
}

async fn run(
    pair: &PostgresPair,
    app: &TestApp,
    scanned: &Scanned,
    of: Rounds,
    is_apart: bool,
) -> Vec<Round> {
    app.run(at("2026-05-05T09:00"), 3_600.0 / f64::from(of.seconds)).await;
    let began = Instant::now();
    let mut rounds = Vec::new();
    for round in 0..=of.all() {
        let kind = match round.checked_sub(1) {
            Some(n) => ORDER[n as usize % ORDER.len()],
            None => Kind::Nothing, // it warms up
        };
        let before = Seen::now(app).await;
        let (stop, stopped) = watch::channel(false);
        let (mut scans, mut readers) = (JoinSet::new(), JoinSet::new());
        let neighbour = match kind {
            Kind::Nothing => None,
            Kind::Reports => {
                scans.spawn(scan(scanned.by_reports.clone(), stopped.clone()));
                for first in 0..2 {
                    readers.spawn(read(app.client.clone(), first, stopped.clone()));
                }
                None
            }
            Kind::Neighbour => {
                if let Some(url) = &scanned.by_neighbour {
                    scans.spawn(scan(url.clone(), stopped.clone()));
                }
                Some(Neighbour::as_busy_as(&rounds, of.length(), is_apart))
            }
        };
        let oldest = oldest_until(pair, began + of.length() * (round + 1)).await;
        let after = Seen::now(app).await;
        stop.send_replace(true);
        drop(neighbour);
        let ended = scans.join_all().await.into_iter().sum();
        let reports = readers.join_all().await.into_iter().sum();
        let shown = Round {
            kind,
            texts: after.texts() - before.texts(),
            busy: after.busy() - before.busy(),
            at: MEASURED.map(|of| [0.5, 0.99].map(|q| 1e3 * after.quantile(&before, of, q))),
            buffers: after.buffers_a_call(&before),
            oldest,
            reports,
            ended,
        };
        eprintln!("round {round}, {kind:?}: {:.0} texts, {reports} reports", shown.texts);
        if round > 0 {
            rounds.push(shown);
        }
    }
    rounds
}

/// One statement that goes on for as long as the round does. Returns how often replay has ended it.
async fn scan(url: String, mut stop: watch::Receiver<bool>) -> u64 {
    let wide = "SELECT m.practice_id, m.local_day, count(*), sum(length(m.body)), \
                max(m.sent_at - m.due_at) \
                FROM generate_series(1, 100000) AS n, \
                LATERAL (SELECT * FROM message WHERE n > 0) AS m GROUP BY 1, 2";
    let mut ended = 0;
    while !*stop.borrow() {
        // Replay ends sessions too that are only beginning.
        let Some(client) = connect(&url).await else {
            ended += 1;
            continue;
        };
        let cancel = client.cancel_token();
        tokio::select! {
            _result = client.query(wide, &[]) => ended += 1,
            () = over(&mut stop) => {
                let _gone = cancel.cancel_query(tokio_postgres::NoTls).await;
            }
        }
    }
    ended
}

async fn connect(url: &str) -> Option<tokio_postgres::Client> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.ok()?;
    tokio::spawn(connection);
    // Each time from the table, not from a copy of it.
    client.batch_execute("SET enable_material = off").await.ok()?;
    Some(client)
}

async fn over(stop: &mut watch::Receiver<bool>) {
    let _is_over = stop.wait_for(|is_over| *is_over).await.is_ok();
}

/// Reads the reports of all practices, one after the other. Returns how many.
async fn read(client: tests::client::Client, first: usize, stop: watch::Receiver<bool>) -> u64 {
    let mut reports = 0;
    for n in first.. {
        if *stop.borrow() {
            break;
        }
        let practice = format!("/v1/practices/{}", 1 + n % PRACTICES as usize);
        let day = format!("{practice}/days/2026-03-{:02}", 1 + n % 28);
        let call = match n % 5 {
            0 => client.get(&format!("{day}/counts")),
            1 => client.get(&format!("{day}/report")),
            2 => {
                client.get(&format!("{practice}/reports/delivery?from=2026-03-01&until=2026-03-31"))
            }
            3 => client.get(&format!("{practice}/reports/trend?from=2026-03-01&until=2026-04-29")),
            _ => client.get("/admin/fleet?from=2026-03-01&until=2026-05-29"),
        };
        // One that replay has cancelled and that found no place on the primary is told to wait.
        let is_whole = call.header("accept", "text/csv").try_send().await;
        reports += u64::from(is_whole.is_ok_and(|answer| answer.status == 200));
    }
    reports
}

/// Looks at the primary's oldest snapshot each second until then.
async fn oldest_until(pair: &PostgresPair, end: Instant) -> i64 {
    let sql = Sql::connect(&pair.primary().url("postgres")).await;
    let mut oldest = 0;
    while Instant::now() < end {
        let now: i64 = sql
            .one(
                "SELECT coalesce(max(age(backend_xmin)), 0)::bigint \
                 FROM (SELECT backend_xmin FROM pg_stat_replication \
                       UNION ALL SELECT xmin FROM pg_replication_slots \
                       UNION ALL SELECT backend_xmin FROM pg_stat_activity \
                       WHERE pid <> pg_backend_pid()) AS s",
                &[],
            )
            .await;
        oldest = oldest.max(now);
        sleep_until((Instant::now() + Duration::from_secs(1)).min(end)).await;
    }
    oldest
}
