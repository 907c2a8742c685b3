//! What measuring costs a request: the service against a build of it in which the feature
//! `unmeasured` compiles the recording of metrics and flights to nothing.
//!
//! `cost_of_measuring instructions|processor MEASURED UNMEASURED`, the last two being programs.
//!
//! `instructions` runs each under callgrind, on one thread, and counts what it executes between the
//! first request and the last. Periodic work is in it, of both: what it takes in 20 s without
//! requests differs by several times from one such time to the next, so it can't be taken away.
//!
//! `processor` runs both side by side, sends one and the other the same requests in turns, and
//! reads the processor time of each from `/proc`.

#![expect(clippy::disallowed_methods, reason = "it makes databases; it is not the service")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use stack::postgres::{Options, PostgresPair, Profile};
use stack::{Process, ProcessSpec};
use tests::client::{ADMIN_KEY, Call, Client};
use tests::database::DAWN;
use tests::{Practice, appointment, practice, until};
use tokio::process::Command;
use tokio::task::JoinSet;

/// Under callgrind: rounds of so many requests each.
const COUNTED_ROUNDS: usize = 3;
const COUNTED: u32 = 3_200;
/// Rounds in turns, of so many requests each, so many at a time.
const ROUNDS: usize = 12;
const ROUND: u32 = 6_000;
const AT_A_TIME: u32 = 16;
const READY_WITHIN: Duration = Duration::from_secs(120);

/// What is asked for: nothing but the way there and back, a read, and a write by the group commit.
const KINDS: [&str; 3] = ["read_health", "read_appointment", "upsert_appointments"];

struct Running {
    process: Process,
    client: Client,
    practice: Practice,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, measured, unmeasured] = arguments.as_slice() else {
        eprintln!("usage: cost_of_measuring instructions|processor MEASURED UNMEASURED");
        return ExitCode::from(2);
    };
    let programs = [PathBuf::from(measured), PathBuf::from(unmeasured)];
    let pair = PostgresPair::start(Options::new(Profile::Demo)).await.expect("PostgreSQL starts");
    match mode.as_str() {
        "instructions" => instructions(&pair, &programs).await,
        "processor" => processor(&pair, &programs).await,
        _ => {
            eprintln!("{mode}: instructions or processor");
            return ExitCode::from(2);
        }
    }
    pair.stop().await;
    ExitCode::SUCCESS
}

async fn instructions(pair: &PostgresPair, programs: &[PathBuf; 2]) {
    let mut each = Vec::new();
    for program in programs {
        each.push(count(pair, program).await);
    }
    println!("| instructions a request | measured | unmeasured | cost |\n|---|---|---|---|");
    for (i, kind) in KINDS.iter().enumerate() {
        let rounds = [&each[0][i], &each[1][i]];
        let [measured, unmeasured] = rounds.map(|rounds| median(rounds.clone()));
        let cost = (measured / unmeasured - 1.0) * 100.0;
        println!("| {kind} | {measured:.0} | {unmeasured:.0} | {cost:.1} % |");
        eprintln!(
            "{kind}, round by round: measured {:.0?}, unmeasured {:.0?}",
            rounds[0], rounds[1]
        );
    }
}

fn print_row(kind: &str, [measured, unmeasured]: [f64; 2], digits: usize) {
    let cost = (measured / unmeasured - 1.0) * 100.0;
    println!("| {kind} | {measured:.digits$} | {unmeasured:.digits$} | {cost:.1} % |");
}

/// Instructions a request, of each kind and in each round.
async fn count(pair: &PostgresPair, program: &Path) -> [Vec<f64>; KINDS.len()] {
    let out = pair.run_dir().path().join("callgrind.out");
    let spec = ProcessSpec::new("callgrind", "valgrind")
        .arguments(["--tool=callgrind", &format!("--callgrind-out-file={}", out.display())])
        // Without this the writer of the log and the worker wait for each other's turns.
        .arguments(["--fair-sched=yes", "--cache-sim=no"]);
    let spec = spec.env("TOKIO_WORKER_THREADS", "1");
    let running = start(pair, spec.argument(program)).await;
    let mut callgrind = Callgrind { pid: running.process.pid(), out, dumps: 0 };
    // The first requests open connections and prepare statements.
    for kind in KINDS {
        running.round(kind, 0, 320).await;
    }
    let mut counted = KINDS.map(|_| Vec::new());
    for (counted, kind) in counted.iter_mut().zip(KINDS) {
        for round in 1..=COUNTED_ROUNDS {
            callgrind.since_last().await;
            running.round(kind, round, COUNTED).await;
            counted.push(callgrind.since_last().await / f64::from(COUNTED));
        }
    }
    running.process.stop(READY_WITHIN).await;
    counted
}

/// A program that runs under callgrind.
struct Callgrind {
    pid: u32,
    out: PathBuf,
    dumps: u32,
}

impl Callgrind {
    /// Instructions since the last time that this was asked.
    async fn since_last(&mut self) -> f64 {
        let dumped = Command::new("callgrind_control")
            .args(["--dump", &self.pid.to_string()])
            .output()
            .await
            .expect("valgrind is installed");
        assert!(dumped.status.success(), "{dumped:?}");
        self.dumps += 1;
        let path = format!("{}.{}", self.out.display(), self.dumps);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
        total.and_then(|total| total.trim().parse().ok()).expect("it ends with its total")
    }
}

async fn processor(pair: &PostgresPair, programs: &[PathBuf; 2]) {
    let mut running = Vec::new();
    for (name, program) in ["measured", "unmeasured"].iter().zip(programs) {
        running.push(start(pair, ProcessSpec::new(*name, program)).await);
    }
    println!("| processor, µs a request | measured | unmeasured | cost |\n|---|---|---|---|");
    for kind in KINDS {
        let mut took = [Vec::new(), Vec::new()];
        for round in 0..=ROUNDS {
            let first = round % 2;
            for which in [first, 1 - first] {
                let spent = running[which].spent(kind, round).await;
                // The first round warms up.
                if round > 0 {
                    took[which].push(spent.as_secs_f64() * 1e6 / f64::from(ROUND));
                }
            }
        }
        print_row(kind, took.map(median), 1);
    }
    for one in running {
        one.process.stop(READY_WITHIN).await;
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A service on a database of its own, with a practice and an appointment in it.
async fn start(pair: &PostgresPair, spec: ProcessSpec) -> Running {
    static DATABASES: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let n = DATABASES.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let database = format!("cost_{n}");
    let client = pair.primary().connect("postgres").await.expect("the server answers");
    client.batch_execute(&format!("CREATE DATABASE {database}")).await.expect("a new database");
    let run = pair.run_dir();
    let address_file = run.path().join(format!("{database}.json"));
    let settings = [
        ("PUNCTUAL_DATABASE_URL", pair.primary().url(&database)),
        ("PUNCTUAL_ADMIN_KEY", ADMIN_KEY.to_owned()),
        ("PUNCTUAL_SIGNING_KEY", "the-signing-key-of-the-count".to_owned()),
        ("PUNCTUAL_PUBLIC_ADDR", "127.0.0.1:0".to_owned()),
        ("PUNCTUAL_ADMIN_ADDR", "127.0.0.1:0".to_owned()),
        ("PUNCTUAL_ADDRESS_FILE", address_file.display().to_string()),
        // Nothing falls due: nobody listens there.
        ("PUNCTUAL_PROVIDER", "webhook".to_owned()),
        ("PUNCTUAL_PROVIDER_URL", "http://127.0.0.1:9/".to_owned()),
        ("PUNCTUAL_PROVIDER_SIMULATED", "true".to_owned()),
        ("PUNCTUAL_WEBHOOK_SECRET", "the-webhook-secret-of-the-count".to_owned()),
        ("PUNCTUAL_SHARD_COUNT", "1".to_owned()),
        ("PUNCTUAL_LIMIT_PLAN_HORIZON_DAYS", "12".to_owned()),
        ("PUNCTUAL_DATABASE_STATEMENT_TIMEOUT_MS", "60000".to_owned()),
    ];
    let spec =
        settings.iter().fold(spec.argument("serve"), |spec, (name, value)| spec.env(name, value));
    let process = Process::start(spec, run).expect("the program starts");
    let addresses: serde_json::Value =
        process.ready_file(&address_file, READY_WITHIN).await.expect("the service listens");
    let address = |name: &str| addresses[name].as_str().expect(name).parse().expect(name);
    let client = Client::new(address("public"), address("admin"));
    until("ready", async || {
        let answer = client.get("/readyz").anonymous().send().await;
        (answer.status == 200).then_some(())
    })
    .await;
    let held =
        json!({ "real_origin": "2100-01-01T00:00:00Z", "domain_origin": DAWN, "speed": 1.0 });
    client.put("/admin/clock", &held).send().await.expect(200);
    let practice = Practice::put(&client, 1, &practice::settings(1)).await;
    practice.book(&appointment("a")).await;
    Running { process, client, practice }
}

impl Running {
    /// Processor time of one round.
    async fn spent(&self, kind: &'static str, round: usize) -> Duration {
        let before = self.used();
        self.round(kind, round, ROUND).await;
        self.used() - before
    }

    /// Asks so often, some at a time.
    async fn round(&self, kind: &'static str, round: usize, requests: u32) {
        let share = requests / AT_A_TIME;
        let base = u32::try_from(round).expect("few rounds") * requests;
        let mut callers = JoinSet::new();
        for caller in 0..AT_A_TIME {
            let (client, practice) = (self.client.clone(), self.practice.clone());
            callers.spawn(async move {
                for i in 0..share {
                    let call = ask(&client, &practice, kind, base + caller * share + i);
                    call.send().await.expect(200);
                }
            });
        }
        callers.join_all().await;
    }

    fn used(&self) -> Duration {
        let usage = self.process.usage().expect("it runs");
        usage.cpu_user + usage.cpu_system
    }
}

fn ask(client: &Client, practice: &Practice, kind: &str, i: u32) -> Call {
    match kind {
        "read_health" => client.get("/healthz").anonymous(),
        "read_appointment" => client.get(&practice.path("/appointments/a")).key(&practice.key),
        "upsert_appointments" => {
            let appointment = appointment(&format!("b{i}"));
            let path = practice.path("/appointments");
            client.post(&path, appointment.json()).key(&practice.key)
        }
        _ => unreachable!("not a kind: {kind}"),
    }
}
