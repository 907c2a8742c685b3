//! The gates against builds with a planted defect: counts go red on one statement more, a duet on
//! an endpoint that is slower, and neither on the same build.
//!
//! The defects are far larger than what the gates see, as the machine that this runs on may have
//! other things to do; how small they may be is measured by hand (`docs/gate.md`). Never here: a
//! time.

mod builds;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tests::binary::{Output, loadtest, punctual, tool};
use tests::schema;

/// Two duets with two stacks each, on a machine that builds meanwhile.
const WITHIN: Duration = Duration::from_secs(400);

/// Judges whatever the machine does meanwhile.
const LENIENT: [&str; 14] = [
    "--achieved-min",
    "0",
    "--lag-max",
    "100",
    "--spoilt-max",
    "100",
    "--steal-max",
    "100",
    "--waiting-max",
    "100000",
    "--busy-max",
    "100",
    "--budget",
    "6m",
];

/// How fast the simulator is that is compared with.
const AT_ONCE: &str = "--latency constant:5";

/// The simulator's account and its token, which are no secrets.
const KEY: &str = concat!(
    "authorization: Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDk5OT",
    "pzaW11bGF0ZWQtYXV0aC10b2tlbg=="
);

async fn run(arguments: &[&str]) -> Output {
    tool(loadtest().to_str().unwrap(), arguments, WITHIN).await
}

fn baseline() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../loadtest/baselines/counts.json")
}

/// What isn't compared where PostgreSQL is of another major version than the baseline's.
fn left_out(told: &Value) -> Value {
    let postgres = |made_with: &str| told.pointer(made_with).unwrap().as_u64().unwrap();
    let old = postgres("/baseline_made_with/postgres");
    let new = postgres("/counted/made_with/postgres");
    if old == new {
        return json!([]);
    }
    json!([format!("buffers and log are not compared: PostgreSQL is {new}, it was {old}")])
}

async fn counts(dir: &Path, flags: &[&str]) -> Output {
    let (baseline, punctual) = (baseline(), punctual());
    let (baseline, punctual) = (baseline.to_str().unwrap(), punctual.to_str().unwrap());
    let own = ["counts", "--punctual", punctual, "--baseline", baseline];
    let reports = ["--report-dir", dir.to_str().unwrap()];
    run(&[&own[..], &reports, flags].concat()).await
}

#[tokio::test]
async fn this_build_does_what_the_baseline_says() {
    let dir = tempfile::tempdir().unwrap();
    // The counts are told whatever becomes of their page.
    symlink("/dev/full", dir.path().join("counts.html")).unwrap();
    let output = counts(dir.path(), &[]).await;
    assert!(output.stdout.contains("\nPASS        "), "{}\n{}", output.stdout, output.stderr);
    assert_eq!(output.status, Some(3), "a pass without a whole report: {output:?}");
    assert!(output.stderr.contains("counts.html: No space left on device"), "{output:?}");
    let told = schema::read(&dir.path().join("counts.json"), "counts");
    assert_eq!((&told["verdict"]["value"], &told["left_out"]), (&"pass".into(), &left_out(&told)));
    assert_eq!(told["differences"], json!([]));
    let compared = told["compared"].as_u64().unwrap();
    let xml = std::fs::read_to_string(dir.path().join("junit.xml")).unwrap();
    let cases = xml.matches("<testcase ").count() as u64;
    assert!(compared > 200 && cases > compared, "a case for each of {compared}, and the verdict");
}

#[tokio::test]
async fn one_statement_more_in_one_endpoint_is_told_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let history = dir.path().join("counts.csv");
    let history = history.to_str().unwrap();
    let bug = "TEST_ENDPOINT_BUG=read_appointment,0,1";
    let output = counts(dir.path(), &["--env", bug, "--history", history]).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    let told = schema::read(&dir.path().join("counts.json"), "counts");
    let differences = told["differences"].as_array().unwrap();
    let calls: Vec<&Value> = differences.iter().filter(|d| d["what"] == "calls").collect();
    let [planted] = &calls[..] else { panic!("nothing else runs more often: {calls:?}") };
    let named = ["phase", "who", "statement"].map(|name| planted[name].as_str().unwrap());
    assert_eq!(named, ["day", "read_appointment", "readiness_probe"]);
    let of = |name: &str| planted[name].as_u64().unwrap();
    assert_eq!(of("to") - of("from"), of("turns"), "one a request: {planted}");
    let line = |of: &str| output.stdout.lines().find(|line| line.contains(of)).unwrap_or("");
    let shown = line("day: read_appointment calls of readiness_probe");
    assert!(shown.contains(" +1.00 "), "{}", output.stdout);
    for name in ["counts.txt", "counts.md", "counts.html", "junit.xml"] {
        assert!(dir.path().join(name).is_file(), "{name}");
    }
    let history = std::fs::read_to_string(history).unwrap();
    assert!(history.starts_with("time,commit,day.buffers,"), "{history}");
    assert_eq!(history.lines().count(), 2, "{history}");
}

#[tokio::test]
async fn repeats_say_how_far_apart_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let (punctual, reports) = (punctual(), dir.path().to_str().unwrap());
    let flags = ["--repeat", "2", "--punctual", punctual.to_str().unwrap()];
    let output = run(&[&["counts", "--report-dir", reports][..], &flags].concat()).await;
    assert_eq!(output.status, Some(0), "{output:?}");
    let told = schema::read(&dir.path().join("spread.json"), "counts-spread");
    assert_eq!(told["times"], 2);
    assert!(told["spreads"].as_array().unwrap().iter().any(|s| s["what"] == "buffers"), "{told}");
    assert!(dir.path().join("spread.html").is_file() && dir.path().join("junit.xml").is_file());
}

#[tokio::test]
async fn a_baseline_of_other_work_or_of_nothing_is_one_clear_line() {
    for (flags, says) in [
        (["--messages", "10"], "--update writes a new one"),
        (["--baseline", "/nonexistent/counts.json"], "/nonexistent/counts.json: "),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let output = if flags[0] == "--baseline" {
            run(&["counts", "--punctual", punctual().to_str().unwrap(), flags[0], flags[1]]).await
        } else {
            counts(dir.path(), &flags).await
        };
        assert_eq!((output.status, output.stderr.lines().count()), (Some(2), 1), "{output:?}");
        assert!(output.stderr.contains(says), "{output:?}");
    }
}

#[tokio::test]
async fn a_full_disk_costs_neither_the_counts_nor_the_baseline() {
    let dir = tempfile::tempdir().unwrap();
    let (file, punctual) = (dir.path().join("counts.json"), punctual());
    std::fs::write(&file, "as it was").unwrap();
    symlink("/dev/full", dir.path().join("counts.json.new")).unwrap();
    let file = file.to_str().unwrap();
    let flags = ["--punctual", punctual.to_str().unwrap(), "--baseline", file];
    let output = run(&[&["counts", "--update"][..], &flags].concat()).await;
    assert_eq!(output.status, Some(3), "{output:?}");
    assert!(output.stdout.contains(" texts, "), "the counts are said first: {output:?}");
    assert!(output.stderr.contains("counts.json: No space left on device"), "{output:?}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "as it was");
}

/// A duet of the reminder service with itself, head with a defect.
async fn own(dir: &Path, defect: &[&str]) -> Output {
    let punctual = punctual();
    let punctual = punctual.to_str().unwrap();
    let dir = dir.to_str().unwrap();
    let sides = ["gate", "--base", punctual, "--head", punctual, "--report-dir", dir];
    let duet = ["--length", "16s", "--pairs", "40"];
    run(&[&sides[..], &duet, &LENIENT, defect].concat()).await
}

fn outcome(dir: &Path) -> Value {
    schema::read(&dir.join("gate.json"), "gate")
}

#[tokio::test]
async fn a_slower_endpoint_fails_twice_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let history = dir.path().join("gate.csv");
    let bug = "TEST_ENDPOINT_BUG=upsert_appointments,250000,0";
    let flags = ["--head-env", bug, "--history", history.to_str().unwrap()];
    let output = own(dir.path(), &flags).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    let outcome = outcome(dir.path());
    assert_eq!(outcome["verdict"]["value"], "fail");
    let reasons = outcome["verdict"]["reasons"].to_string();
    assert!(reasons.contains("upsert_appointments: p50 is +"), "{reasons}");
    let duets = outcome["duets"].as_array().unwrap();
    let first: Vec<&Value> = duets.iter().map(|duet| &duet["started_first"]).collect();
    assert_eq!(first, ["base", "head"]);
    assert_ne!(duets[0]["plan_hash"], duets[1]["plan_hash"], "independent of each other");
    for name in ["gate.txt", "gate.md", "gate.html", "junit.xml"] {
        assert!(dir.path().join(name).exists(), "{name}");
    }
    let history = std::fs::read_to_string(history).unwrap();
    assert!(history.starts_with("time,commit,all_critical.p50,"), "{history}");
}

#[tokio::test]
async fn a_build_is_not_slower_than_itself() {
    let dir = tempfile::tempdir().unwrap();
    let output = own(dir.path(), &[]).await;
    assert_ne!(output.status, Some(1), "{output:?}");
    let duet = &outcome(dir.path())["duets"][0];
    assert!(duet["pairs_answered"].as_u64().unwrap() > 300, "{output:?}");
    let seen = duet["figures"].as_array().unwrap().iter().filter(|f| !f["ratio"].is_null());
    assert!(seen.count() > 0, "{duet:#}");
}

/// A duet of any service: here the simulator, by its answer's time or what goes wrong with it.
async fn other(dir: &Path, head: &str, duration: &str, flags: &[&str]) -> Output {
    let program = loadtest();
    // A log for each process: in trials both sides are the same command.
    let start = |flags: &str| {
        format!(
            "exec {} provider --listen 127.0.0.1:{{port}} --log {}/{{port}}.jsonl {flags}",
            program.display(),
            dir.display()
        )
    };
    let reset = |side: &str| format!("touch {}/{side}-was-reset", dir.display());
    let account = "AC00000000000000000000000000000999";
    let path = format!("/2010-04-01/Accounts/{account}/Messages.json");
    let (base, head) = (start(AT_ONCE), start(head));
    let (base_reset, head_reset) = (reset("base"), reset("head"));
    let sides =
        ["gate", "--base-start", &base, "--head-start", &head, "--health", "/control/state"];
    let resets = ["--base-reset", &base_reset, "--head-reset", &head_reset];
    let work = ["--rate", "100", "--duration", duration, "--path", &path];
    let body = ["--body", "To=%2B99912345678&From=%2B99900000001&Body=hello", "--header", KEY];
    let form = ["--header", "content-type: application/x-www-form-urlencoded"];
    let told = ["--report-dir", dir.to_str().unwrap()];
    run(&[&sides[..], &resets, &work, &body, &form, &told, &LENIENT, flags].concat()).await
}

#[tokio::test]
async fn any_service_is_compared_by_its_commands() {
    let dir = tempfile::tempdir().unwrap();
    let output = other(dir.path(), "--latency constant:150", "14s", &["--poisson"]).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    assert!(
        dir.path().join("base-was-reset").exists() && dir.path().join("head-was-reset").exists()
    );
    let outcome = outcome(dir.path());
    let duets = &outcome["duets"];
    assert_eq!(duets[0]["failures"], Value::Array(Vec::new()), "{output:?}");
    assert_ne!(duets[0]["plan_hash"], duets[1]["plan_hash"], "chance decides anew: {output:?}");
    let dir = tempfile::tempdir().unwrap();
    let output = other(dir.path(), AT_ONCE, "14s", &[]).await;
    assert_ne!(output.status, Some(1), "{output:?}");
}

/// No figure compares what was not answered, and no objective is missed more plainly.
#[tokio::test]
async fn a_head_that_answers_nothing_well_fails() {
    let dir = tempfile::tempdir().unwrap();
    let output = other(dir.path(), "--server-errors 1", "5s", &[]).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    let outcome = outcome(dir.path());
    assert_eq!(outcome["duets"].as_array().unwrap().len(), 2, "once is not believed");
    assert_eq!(outcome["duets"][1]["pairs_answered"], 0);
    let reason = outcome["verdict"]["reasons"][0].as_str().unwrap();
    assert!(reason.contains("500 of 500 requests missed"), "{reason}");
}

#[tokio::test]
async fn a_head_that_hangs_fails() {
    let dir = tempfile::tempdir().unwrap();
    let output = other(dir.path(), "--hang 1", "5s", &["--timeout", "2s"]).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    let outcome = outcome(dir.path());
    assert_eq!(outcome["duets"][1]["objectives"][0]["of_asked"], true, "{output:?}");
    let reason = outcome["verdict"]["reasons"][0].as_str().unwrap();
    assert!(reason.contains("requests that it was asked missed"), "{reason}");
}

#[tokio::test]
async fn trials_tell_how_often_it_was_red() {
    let dir = tempfile::tempdir().unwrap();
    symlink("/dev/full", dir.path().join("trials.md")).unwrap();
    let output = other(dir.path(), AT_ONCE, "5s", &["--aa", "1"]).await;
    assert_eq!(output.status, Some(3), "measured, and not whole on disk: {output:?}");
    assert!(output.stdout.contains("\nMEASURED    against itself"), "{output:?}");
    assert!(output.stderr.contains("trials.md: No space left on device"), "{output:?}");
    let told = schema::read(&dir.path().join("trials.json"), "trials");
    let tally = &told["tallies"][0];
    let trials = ["judged", "invalid"].map(|name| tally[name].as_u64().unwrap());
    assert_eq!(trials.iter().sum::<u64>(), 1, "{told}");
    assert!(dir.path().join("trials.html").is_file() && dir.path().join("junit.xml").is_file());
}

#[tokio::test]
async fn what_cannot_be_compared_is_one_clear_line() {
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().to_str().unwrap();
    let program = punctual();
    let program = program.to_str().unwrap();
    for (flags, status, says) in [
        (
            &["--base", program, "--head", "no-such-revision"][..],
            2,
            "neither a file nor a revision",
        ),
        (&["--base", program, "--head", program, "--length", "1h"], 2, "a budget of 10:00"),
        (&["--base-start", "true", "--head-start", "true"], 2, "give one of --rate"),
        (
            &["--base-start", "exit 3", "--head-start", "true", "--rate", "9", "--duration", "9s"],
            3,
            "base ended with exit status: 3 before it was ready",
        ),
    ] {
        let output = run(&[&["gate", "--report-dir", report], flags].concat()).await;
        assert_eq!(output.status, Some(status), "{output:?}");
        assert!(output.stderr.contains(says), "{output:?}");
    }
}
