//! Whether reports on a replica reach the primary: the same texts an hour of domain time, in turns
//! without reports and with the heaviest that there are, and what claims took meanwhile.
//!
//! `reports_beside [apart] [feedback]`, beside the programs that `cargo build --bins` makes. With
//! `apart` the replica has a processor of its own and everything else another one, so that they
//! share nothing but the log; without it they also share the processors. `feedback` switches
//! `hot_standby_feedback` on, which is off by default: what that would do.
//!
//! The reports: one statement that reads every text again and again for as long as the round goes
//! on, in one snapshot; and two readers of the service's own reports.

#![expect(clippy::disallowed_methods, reason = "it looks into databases; it is not the service")]

use std::process::ExitCode;
use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use serde_json::{Value, json};
use stack::postgres::{Options, PostgresPair, Profile};
use tests::app::Service;
use tests::practice::template;
use tests::{Practice, Scrape, Sql, TestApp, TestDatabase, appointment, at, until};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Rounds of each kind; one before them warms up.
const PAIRS: u32 = 4;
/// Domain seconds a real one: an hour a minute.
const SPEED: f64 = 60.0;
const ROUND: Duration = Duration::from_secs(60);
/// Texts a round, over all practices: 200 a second.
const TEXTS: u32 = 12_000;
const PRACTICES: u32 = 8;
/// Texts of earlier days, for reports to read.
const OLD_TEXTS: i64 = 600_000;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    if arguments.iter().any(|argument| !["apart", "feedback"].contains(&argument.as_str())) {
        eprintln!("usage: reports_beside [apart] [feedback]");
        return ExitCode::from(2);
    }
    let feedback = if has("feedback") { "on" } else { "off" };
    let options = Options::new(Profile::Demo).setting("hot_standby_feedback", feedback);
    let pair = PostgresPair::start(options).await.expect("PostgreSQL starts");
    if has("apart") {
        pin(pair.primary().pid(), 0);
        pin(pair.replica().pid(), 1);
    }
    let app = start(&pair).await;
    if has("apart") {
        pin(Some(app.service.process.pid()), 0);
    }
    let rounds = run(&pair, &app).await;
    print(&rounds);
    let TestApp { service, simulator, database, .. } = app;
    service.stop().await;
    simulator.stop().await;
    drop(database);
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

async fn start(pair: &PostgresPair) -> TestApp {
    let database = TestDatabase::on(pair).await;
    let app = TestApp::with().database(database).replica().env("RUST_LOG", "warn").start().await;
    let mut practices = Vec::new();
    for id in 1..=PRACTICES {
        practices.push(app.practice_with(i64::from(id), one_rule).await);
    }
    for round in 0..=2 * PAIRS {
        for practice in &practices {
            book(practice, round).await;
        }
    }
    let old = "INSERT INTO message (shard, practice_id, phone, local_day, rule_id, group_slot, \
               generation, state, receipt, segments, revision, due_at, expires_at, released_at, \
               sent_at, receipt_at, appointment_ids, starts_at, body) \
               SELECT p.shard, p.practice_id, 99900000000 + n, '2026-03-01'::date + d, 1, 0, 1, \
                      's', 2, 1, 1, t.at, t.at, t.at, t.at + random() * interval '3 s', t.at, \
                      ARRAY['old-' || n], ARRAY[t.at], repeat('x', 150) \
               FROM practice p, generate_series(0, 59) AS d, \
                    generate_series(1, $1::bigint / 60 / 8) AS n, \
                    LATERAL (SELECT '2026-03-01T11:00Z'::timestamptz + d * interval '1 day' \
                                    + n % 12 * interval '1 hour' AS at) AS t";
    app.database.sql.run(old, &[&OLD_TEXTS]).await;
    app.database.sql.run("VACUUM (ANALYZE) message", &[]).await;
    pair.wait_until_caught_up(Duration::from_secs(120)).await.expect("the replica catches up");
    until("the replica is read", async || {
        (app.scrape().await.sum("db_server_readable", &[]) > 0.0).then_some(())
    })
    .await;
    app
}

/// Due two hours before, spread over the hour.
fn one_rule(settings: &mut Value) {
    settings["rules"] = json!([{
        "rule_id": 1, "name": "two_hours_before", "before_days": 0, "before_minutes": 120,
        "grouping_minutes": 60, "scatter_seconds": 3_600, "template": template(),
    }]);
}

/// What falls due in a round.
async fn book(practice: &Practice, round: u32) {
    let starts = format!("2026-05-05T{:02}:59", 11 + round);
    let each = TEXTS / PRACTICES;
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
    has_reports: bool,
    texts: f64,
    /// Milliseconds at p50 and p99, of each of [`MEASURED`].
    at: [[f64; 2]; MEASURED.len()],
    buffers: f64,
    /// Transactions by which the primary's oldest snapshot was behind at the end.
    oldest: i64,
    reports: u64,
}

/// What is looked at: histograms of the service, all of the primary's side.
const MEASURED: [(&str, &str, &str, &str); 4] = [
    ("claim, batch", "stage_duration_seconds", "stage", "claim"),
    ("claim, lateness", "stage_lateness_seconds", "stage", "claim"),
    ("release, lateness", "stage_lateness_seconds", "stage", "release"),
    ("due to handed over", "journey_duration_seconds", "journey", "due_to_handed_over"),
];

async fn run(pair: &PostgresPair, app: &TestApp) -> Vec<Round> {
    app.run(at("2026-05-05T09:00"), SPEED).await;
    let began = Instant::now();
    let mut rounds = Vec::new();
    for round in 0..=2 * PAIRS {
        // One that warms up, then in turns: without, with, with, without.
        let has_reports = round > 0 && [1, 2].contains(&((round - 1) % 4));
        let before = Seen::now(app).await;
        let (stop, stopped) = watch::channel(false);
        let mut readers = JoinSet::new();
        if has_reports {
            readers.spawn(scan(app.database.replica_url(), stopped.clone()));
            for first in 0..2 {
                readers.spawn(read(app.client.clone(), first, stopped.clone()));
            }
        }
        sleep_until(began + ROUND * (round + 1)).await;
        let after = Seen::now(app).await;
        let oldest = oldest(pair).await;
        stop.send_replace(true);
        let reports = readers.join_all().await.into_iter().sum();
        let shown = Round {
            has_reports,
            texts: after.texts() - before.texts(),
            at: MEASURED.map(|of| [0.5, 0.99].map(|q| 1e3 * after.quantile(&before, of, q))),
            buffers: after.buffers_a_call(&before),
            oldest,
            reports,
        };
        eprintln!("round {round}: {:.0} texts, {reports} reports", shown.texts);
        if round > 0 {
            rounds.push(shown);
        }
    }
    rounds
}

/// One statement that goes on for as long as the round does. Returns how often the replica has
/// ended it.
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
        let call = match n % 4 {
            0 => client.get(&format!("{practice}/days/2026-03-{:02}/report", 1 + n % 28)),
            1 => {
                client.get(&format!("{practice}/reports/delivery?from=2026-03-01&until=2026-03-31"))
            }
            2 => client.get(&format!("{practice}/reports/trend")),
            _ => client.get("/admin/fleet?from=2026-03-01&until=2026-05-29"),
        };
        // One that replay has cancelled and that found no place on the primary is told to wait.
        let is_whole = call.header("accept", "text/csv").try_send().await;
        reports += u64::from(is_whole.is_ok_and(|answer| answer.status == 200));
    }
    reports
}

async fn oldest(pair: &PostgresPair) -> i64 {
    let sql = Sql::connect(&pair.primary().url("postgres")).await;
    sql.one(
        "SELECT coalesce(max(age(backend_xmin)), 0)::bigint \
         FROM (SELECT backend_xmin FROM pg_stat_replication \
               UNION ALL SELECT backend_xmin FROM pg_stat_activity \
               WHERE pid <> pg_backend_pid()) AS s",
        &[],
    )
    .await
}

/// What was counted up to now.
struct Seen {
    scrape: Scrape,
    claims: i64,
    buffers: i64,
}

impl Seen {
    async fn now(app: &TestApp) -> Self {
        let service: &Service = &app.service;
        let counted = "SELECT coalesce(sum(rows), 0)::bigint, \
                       coalesce(sum(shared_blks_hit + shared_blks_read), 0)::bigint \
                       FROM pg_stat_statements WHERE query ~ 'db_query=''claim_(lanes|heads)'''";
        let rows = app.database.sql.rows(counted, &[]).await;
        Self { scrape: service.scrape().await, claims: rows[0].get(0), buffers: rows[0].get(1) }
    }

    fn texts(&self) -> f64 {
        self.scrape.sum("messages_total", &[("fate", "sent")])
    }

    fn buffers_a_call(&self, before: &Self) -> f64 {
        (self.buffers - before.buffers) as f64 / (self.claims - before.claims).max(1) as f64
    }

    /// The least bound that this share of what came since was below.
    fn quantile(&self, before: &Self, of: (&str, &str, &str, &str), q: f64) -> f64 {
        let (_, family, label, value) = of;
        let name = format!("{family}_bucket");
        let labels = [(label, value)];
        let counts = |scrape: &Scrape| -> Vec<(f64, f64)> {
            let mut counts: Vec<(f64, f64)> = scrape
                .all(&name, &labels)
                .map(|sample| (bound(&sample.labels["le"]), sample.value))
                .collect();
            counts.sort_by(|a, b| a.0.total_cmp(&b.0));
            counts
        };
        let (now, then) = (counts(&self.scrape), counts(&before.scrape));
        let since: Vec<(f64, f64)> = now.iter().zip(&then).map(|(a, b)| (a.0, a.1 - b.1)).collect();
        let all = since.last().map_or(0.0, |last| last.1);
        let mut below = (0.0, 0.0);
        for (bound, count) in since {
            if count >= q * all && count > below.1 {
                let share = (q * all - below.1) / (count - below.1);
                return if bound.is_finite() {
                    below.0 + share * (bound - below.0)
                } else {
                    below.0
                };
            }
            below = (bound, count);
        }
        0.0
    }
}

fn bound(text: &str) -> f64 {
    if text == "+Inf" { f64::INFINITY } else { text.parse().expect("a bound is a number") }
}

fn print(rounds: &[Round]) {
    let median = |has_reports: bool, of: &dyn Fn(&Round) -> f64| {
        let of_kind = rounds.iter().filter(|round| round.has_reports == has_reports);
        let mut values: Vec<f64> = of_kind.map(of).collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        if values.len() % 2 == 1 {
            values[middle]
        } else {
            values[middle - 1..=middle].iter().sum::<f64>() / 2.0
        }
    };
    println!("| median of {PAIRS} rounds each | without | with | ratio |\n|---|---|---|---|");
    let row = |what: &str, of: &dyn Fn(&Round) -> f64| {
        let (without, with) = (median(false, of), median(true, of));
        println!("| {what} | {without:.2} | {with:.2} | {:.2} |", with / without);
    };
    for (i, (what, ..)) in MEASURED.iter().enumerate() {
        row(&format!("{what}, p50, ms"), &|round| round.at[i][0]);
        row(&format!("{what}, p99, ms"), &|round| round.at[i][1]);
    }
    row("buffers a claimed row", &|round| round.buffers);
    row("texts a second", &|round| round.texts / ROUND.as_secs_f64());
    row("oldest snapshot, transactions", &|round| round.oldest as f64);
    row("reports a round", &|round| round.reports as f64);
}
