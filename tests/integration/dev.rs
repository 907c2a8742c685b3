//! `loadtest dev` and `demo`: a stack that stays up while day follows day, or for one day, until
//! Ctrl-C, and nothing of it afterwards.
//!
//! Never here: what a replayed day proves (`day`, `make demo`).

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use stack::{Process, ProcessSpec};
use tests::binary;
use tests::client::Client;
use tests::database::pair;
use tests::wait::{soon, until, until_within};
use tokio::io::{AsyncBufReadExt as _, BufReader};

/// Two days of three hundred texts at the highest speed, on a loaded machine.
const DAYS_WITHIN: Duration = Duration::from_secs(120);

#[tokio::test]
async fn days_follow_each_other_until_ctrl_c_and_nothing_is_left() {
    let base = stack_dir();
    let spec = ProcessSpec::new("dev", binary::loadtest())
        .arguments(["dev", "--messages", "300", "--speed", "5000", "--users", "8"])
        .env("PUNCTUAL_STACK_DIR", base.path())
        .ending(Signal::SIGTERM);
    let dev = Process::start(spec, pair().await.run_dir()).unwrap();
    let line = dev.ready_line("live page http://", DAYS_WITHIN).await.unwrap();
    let first = dev.output().lines().find(|line| line.contains("http://")).map(str::to_owned);
    assert_eq!(first.as_deref(), Some(line.as_str()), "the page's address comes first");
    let address = line.trim_start_matches("live page http://").trim_end_matches('/');
    let address: SocketAddr = address.parse().unwrap();
    let page = Client::new(address, address).get("/").anonymous().send().await.expect(200);
    assert!(page.text().contains("<title>Punctual live</title>"));
    assert!(dev.output().lines().any(|line| line.starts_with("service http://")));
    let watcher = dev.ready_line("prometheus http://", DAYS_WITHIN).await.unwrap();
    let (address, _) = watcher.trim_start_matches("prometheus http://").split_once('/').unwrap();
    let watcher: SocketAddr = address.parse().unwrap();
    until("Prometheus scrapes the service", async || {
        let ask = Client::new(watcher, watcher).get("/api/v1/query?query=up").anonymous();
        let up = ask.send().await.json(200);
        (up["data"]["result"][0]["value"][1] == "1").then_some(())
    })
    .await;

    let held = dev.ready_line("the laws hold in", DAYS_WITHIN).await.unwrap();
    assert!(held.starts_with("day 2027-03-09:"), "{held}");
    // The second day is another one: other practices, and bookings of its own.
    until_within(DAYS_WITHIN, "the second day's bookings", async || {
        assert!(dev.ended().is_none(), "{}", dev.output());
        let output = dev.output();
        let (_, second) = output.split_once("day 2027-03-10:")?;
        second.lines().any(|line| line.starts_with("import ")).then_some(())
    })
    .await;
    dev.signal(Signal::SIGINT);
    let status = soon("its end", dev.wait()).await;
    assert_eq!(status.code(), Some(130), "{}", dev.output());
    assert!(!dev.output().contains("loadtest: "), "it ended as it was told to: {}", dev.output());
    until("nothing is left", async || is_empty(base.path()).then_some(())).await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "something still listens");
}

/// Nobody needs a Prometheus to see a day replayed: it is said that there is none.
#[tokio::test]
async fn a_day_goes_without_a_prometheus() {
    let base = stack_dir();
    // Without faults and not too fast: on a machine that is busy with other tests none is too late.
    let arguments = ["demo", "--messages", "300", "--speed", "2500", "--users", "8", "--no-faults"];
    let spec = ProcessSpec::new("demo", binary::loadtest())
        .arguments(arguments)
        .arguments(["--prometheus", "/nonexistent/prometheus"])
        .argument(format!("--report-dir={}", base.path().join("report").display()))
        .env("PUNCTUAL_STACK_DIR", base.path())
        .ending(Signal::SIGTERM);
    let demo = Process::start(spec, pair().await.run_dir()).unwrap();
    let said = demo.ready_line("prometheus: none (", DAYS_WITHIN).await.unwrap();
    assert!(said.contains("/nonexistent/prometheus"), "{said}");
    let ended = tokio::time::timeout(DAYS_WITHIN, demo.wait()).await.expect("it ends");
    assert!(ended.success(), "{ended}: {}", demo.output());
    both_sides(&base.path().join("report"));
    until("nothing is left", async || is_empty(base.path()).then_some(())).await;
}

/// Ctrl-C in the middle of a day: a report of what was done so far, and nothing is left.
#[tokio::test]
async fn a_demo_that_is_interrupted_reports_what_there_is() {
    let base = stack_dir();
    let report = base.path().join("report");
    // So slow that it isn't over before it is interrupted: the day takes nine minutes.
    let arguments = ["demo", "--messages", "300", "--speed", "100", "--users", "8"];
    let spec = ProcessSpec::new("interrupted-demo", binary::loadtest())
        .arguments(arguments)
        .arguments(["--no-prometheus", "--report-dir"])
        .argument(&report)
        .env("PUNCTUAL_STACK_DIR", base.path())
        .ending(Signal::SIGTERM);
    let demo = Process::start(spec, pair().await.run_dir()).unwrap();
    demo.ready_line("replay   ", DAYS_WITHIN).await.unwrap();
    demo.signal(Signal::SIGINT);
    let status = soon("its end", demo.wait()).await;
    assert_eq!(status.code(), Some(130), "{}", demo.output());
    interrupted(&demo, &report);
    until("nothing is left", async || is_empty(base.path()).then_some(())).await;
}

/// What is there to be looked at ends when whoever read its first line has left, as `head -1` does:
/// without a word, and nothing is left.
#[tokio::test]
async fn what_nobody_looks_at_any_more_ends_without_a_word() {
    for command in ["demo", "dev"] {
        let base = stack_dir();
        // So slow that it isn't over by itself.
        let slow = ["--messages", "300", "--speed", "100", "--users", "8", "--no-prometheus"];
        let mut program = tokio::process::Command::new(binary::loadtest());
        program.arg(command).args(slow).env("PUNCTUAL_STACK_DIR", base.path());
        if command == "demo" {
            program.arg("--report-dir").arg(base.path().join("report"));
        }
        program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = program.kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
        let first = tokio::time::timeout(DAYS_WITHIN, lines.next_line()).await.expect("a line");
        let first = first.unwrap().unwrap_or_default();
        assert!(first.starts_with("live page http://"), "{command}: {first}");
        drop(lines);
        let ended = soon("its end", running.wait_with_output()).await.unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(130), "{command}: {stderr}");
        let is_quiet = ["panicked", "loadtest: "].iter().all(|word| !stderr.contains(word));
        assert!(is_quiet, "{command}: {stderr}");
        until("nothing is left", async || is_empty(base.path()).then_some(())).await;
    }
}

/// Says what was done until a day was interrupted, on the terminal and in all files.
pub(super) fn interrupted(process: &Process, dir: &Path) {
    let output = process.output();
    assert!(output.contains("INTERRUPTED") && output.contains("report: "), "{output}");
    assert!(!output.contains("loadtest: "), "it ended as it was told to: {output}");
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let report: serde_json::Value = serde_json::from_str(&read("report.json")).unwrap();
    assert_eq!(report["ended"], "interrupted");
    let xml = read("junit.xml");
    assert!(xml.contains("<skipped") && xml.contains("failures=\"0\""), "not judged: {xml}");
    for name in ["report.txt", "report.md", "report.html"] {
        assert!(read(name).contains("INTERRUPTED"), "{name}: {}", read(name));
    }
}

/// What was measured from outside and what the service says of itself stand in one report.
fn both_sides(dir: &Path) {
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let report = tests::schema::read(&dir.join("report.json"), "report");
    let inside = &report["inside"];
    let families: Vec<&str> =
        inside["panels"].as_array().unwrap().iter().filter_map(|p| p["family"].as_str()).collect();
    for family in [
        "stage_lateness_seconds",
        "db_client_connections_wait_time_seconds",
        "db_client_operation_duration_seconds",
        "pending_messages",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
    ] {
        assert!(families.contains(&family), "{family}: {families:?}");
    }
    assert_eq!(inside["missing"].as_array().unwrap().len(), 0, "{}", inside["missing"]);
    let slowest = report["slowest"].as_array().unwrap();
    let has_both = |row: &&serde_json::Value| {
        row["trace_id"].as_str().is_some_and(|id| id.len() == 32)
            && row["server_timing"].as_str().is_some_and(|timing| timing.starts_with("total;dur="))
    };
    assert!(slowest.iter().any(|row| has_both(&row)), "{slowest:?}");
    let sum = |of: &str| -> u64 {
        report["series"][of].as_array().unwrap().iter().filter_map(|n| n.as_u64()).sum()
    };
    assert_eq!(sum("offered"), report["run"]["arrivals_planned"].as_u64().unwrap());
    assert_eq!(sum("sent"), sum("offered"));
    let xml = read("junit.xml");
    assert!(xml.contains("law 3: ") && xml.contains("failures=\"0\" errors=\"0\""), "{xml}");
    assert!(read("report.md").starts_with("### A replayed day: PASSED"), "{}", read("report.md"));
    assert!(read("report.html").contains("lateness of the stages, p99"));
}

fn stack_dir() -> tempfile::TempDir {
    let base = tempfile::tempdir().unwrap();
    // PostgreSQL's user has to pass through it.
    std::fs::set_permissions(base.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    base
}

/// No run directory, which the watchdog removes last, after every process of the run.
fn is_empty(base: &Path) -> bool {
    let mut entries = std::fs::read_dir(base).unwrap().flatten();
    entries.all(|entry| !entry.file_name().to_string_lossy().starts_with("run-"))
}
