//! What measuring costs a request: the service against a build of it in which the feature
//! `unmeasured` compiles the recording of metrics and flights to nothing.
//!
//! `cost_of_measuring instructions|processor MEASURED UNMEASURED`, the last two being programs.
//!
//! `instructions` runs each under callgrind and counts what the whole process executes, of few and
//! of many requests, so that what isn't theirs cancels out, but for periodic work in the time that
//! the additional ones take. On one thread: who waits for whom is different each time.
//!
//! `processor` runs both side by side, sends one and the other the same requests in turns, and
//! reads the processor time of each from `/proc`.

#![expect(clippy::disallowed_methods, reason = "it makes databases; it is not the service")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use stack::postgres::{Options, PostgresPair, Profile};
use stack::{Process, ProcessSpec};
use tests::client::{ADMIN_KEY, Call, Client};
use tests::database::DAWN;
use tests::{Practice, appointment, practice, until};
use tokio::task::JoinSet;

const FEW: u32 = 1_000;
const MANY: u32 = 9_000;
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
    println!("| instructions a request | measured | unmeasured | cost |\n|---|---|---|---|");
    for kind in KINDS {
        let mut each = [0.0; 2];
        for (each, program) in each.iter_mut().zip(programs) {
            let mut counted = [0.0; 2];
            for (counted, requests) in counted.iter_mut().zip([FEW, MANY]) {
                *counted = count(pair, program, kind, requests).await;
            }
            *each = (counted[1] - counted[0]) / f64::from(MANY - FEW);
        }
        print_row(kind, each, 0);
    }
}

fn print_row(kind: &str, [measured, unmeasured]: [f64; 2], digits: usize) {
    let cost = (measured / unmeasured - 1.0) * 100.0;
    println!("| {kind} | {measured:.digits$} | {unmeasured:.digits$} | {cost:.1} % |");
}

/// Instructions from the start to the end of a process that answered so many requests.
async fn count(pair: &PostgresPair, program: &PathBuf, kind: &str, requests: u32) -> f64 {
    let out = pair.run_dir().path().join("callgrind.out");
    let spec = ProcessSpec::new("callgrind", "valgrind")
        .arguments(["--tool=callgrind", &format!("--callgrind-out-file={}", out.display())]);
    let spec = spec.env("TOKIO_WORKER_THREADS", "1");
    let running = start(pair, spec.argument(program)).await;
    for i in 0..requests {
        running.ask(kind, i).send().await.expect(200);
    }
    running.process.stop(READY_WITHIN).await;
    let text = std::fs::read_to_string(&out).expect("callgrind wrote what it counted");
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    total.and_then(|total| total.trim().parse().ok()).expect("it ends with its total")
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
                let spent = running[which].round(kind, round).await;
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
    fn ask(&self, kind: &str, i: u32) -> Call {
        ask(&self.client, &self.practice, kind, i)
    }

    /// Processor time of one round.
    async fn round(&self, kind: &'static str, round: usize) -> Duration {
        let before = self.used();
        let share = ROUND / AT_A_TIME;
        let base = u32::try_from(round).expect("few rounds") * ROUND;
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
        self.used() - before
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
