//! `loadtest isolate`: nobody is guilty of a backlog with the claim as it is, and with a claim that
//! sorts all that waits exactly that stage and statement are named.
//!
//! A count of buffers, no time. Never here: the large depths, which are measured by hand.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use stack::{Process, ProcessSpec};
use tests::database::pair;
use tests::{binary, schema};

/// Two depths on a stack each, on a machine that is busy with other tests.
const WITHIN: Duration = Duration::from_secs(240);
/// The smallest depth: what is measured at each.
const SMALL: u64 = 500;
const LARGE: u64 = 8_000;

struct Isolated {
    status: Option<i32>,
    told: Value,
    output: String,
}

/// Runs it with something in its environment; the service's build checks its assertions, so that a
/// fault can be planted there.
async fn isolate(name: &str, dir: &Path, environment: &[(&str, &str)]) -> Isolated {
    let spec = ProcessSpec::new(name, binary::loadtest())
        .arguments(["isolate", "--depth", &format!("{LARGE},{SMALL}")])
        .argument(format!("--report-dir={}", dir.display()))
        .ending(Signal::SIGTERM);
    let spec = environment.iter().fold(spec, |spec, (name, value)| spec.env(name, value));
    let process = Process::start(spec, pair().await.run_dir()).unwrap();
    let ended = tokio::time::timeout(WITHIN, process.wait()).await;
    let ended = ended.unwrap_or_else(|_| panic!("it takes too long: {}", process.output()));
    let output = process.output();
    for file in ["isolate.json", "isolate.txt", "isolate.md", "isolate.html", "junit.xml"] {
        assert!(dir.join(file).is_file(), "{file}: {output}");
    }
    let told = schema::read(&dir.join("isolate.json"), "isolate");
    Isolated { status: ended.code(), told, output }
}

#[tokio::test]
async fn a_backlog_makes_nothing_more_expensive() {
    let dir = tempfile::tempdir().unwrap();
    let Isolated { status, told, output } = isolate("isolate-good", dir.path(), &[]).await;
    assert_eq!(status, Some(0), "{output}");
    assert_eq!(told["verdict"]["ended"], "passed", "{output}");
    let costs = told["costs"].as_array().unwrap();
    for depth in [SMALL, LARGE] {
        for stage in ["plan", "release", "claim", "deliver", "settle"] {
            let found = costs.iter().find(|cost| cost["stage"] == stage && cost["depth"] == depth);
            let cost = found.unwrap_or_else(|| panic!("{stage} at {depth}: {output}"));
            assert_eq!(cost["items"], SMALL, "{stage} at {depth}: {output}");
            // What stands before a stage is said as it is, not as it was asked for.
            let before = cost["before"].as_u64().unwrap();
            let all = ["release", "claim"].contains(&stage);
            let is_so = if all { before == depth } else { (1..=SMALL).contains(&before) };
            assert!(is_so, "{before} before {stage} at {depth}: {output}");
            let ran = cost["statements"].as_object().unwrap();
            // A delivery holds no connection.
            assert_eq!(ran.is_empty(), stage == "deliver", "{stage}: {ran:?}");
        }
        let receipts = costs.iter().find(|c| c["stage"] == "receive" && c["depth"] == depth);
        assert!(receipts.unwrap()["items"].as_u64() >= Some(SMALL), "{output}");
    }
    let audits = told["audits"].as_array().unwrap();
    assert_eq!(audits.len(), 2, "{output}");
    for audit in audits {
        assert!(audit["cases"].as_u64() > Some(SMALL) && audit["broken"] == serde_json::json!([]));
    }
}

#[tokio::test]
async fn a_claim_that_sorts_all_that_waits_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let planted = [("TEST_CLAIM_BUG", "distinct_on")];
    let Isolated { status, told, output } = isolate("isolate-bad", dir.path(), &planted).await;
    assert_eq!(status, Some(1), "{output}");
    let guilty = told["verdict"]["guilty"].as_array().unwrap();
    assert_eq!(guilty.len(), 1, "{output}");
    assert_eq!(
        (&guilty[0]["stage"], &guilty[0]["statement"]),
        (&Value::from("claim"), &Value::from("claim_lanes"),)
    );
    assert!(guilty[0]["growth"].as_f64() > Some(1.5), "{output}");
    assert!(output.contains("FAIL        claim is guilty"), "{output}");
    let xml = std::fs::read_to_string(dir.path().join("junit.xml")).unwrap();
    assert_eq!(xml.matches("<failure").count(), 2, "the verdict, and claim's bound: {xml}");
}

#[tokio::test]
async fn a_full_disk_costs_the_report_and_not_the_numbers() {
    let dir = tempfile::tempdir().unwrap();
    symlink("/dev/full", dir.path().join("isolate.json")).unwrap();
    let spec = ProcessSpec::new("isolate-full", binary::loadtest())
        .arguments(["isolate", "--depth", &format!("{LARGE},{SMALL}")])
        .argument(format!("--report-dir={}", dir.path().display()))
        .ending(Signal::SIGTERM);
    let process = Process::start(spec, pair().await.run_dir()).unwrap();
    let ended = tokio::time::timeout(WITHIN, process.wait()).await.expect("it ends");
    let output = process.output();
    assert_eq!(ended.code(), Some(3), "{output}");
    assert!(output.contains("PASS        in no stage"), "{output}");
    assert!(output.contains("isolate.json: No space left on device"), "{output}");
    assert!(!dir.path().join("isolate.json").exists(), "nothing that is cut short stays");
    assert!(dir.path().join("junit.xml").is_file(), "what can be written is");
}

#[tokio::test]
async fn what_was_measured_until_ctrl_c_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let spec = ProcessSpec::new("isolate-stopped", binary::loadtest())
        .arguments(["isolate", "--depth", "100,200"])
        .argument(format!("--report-dir={}", dir.path().display()))
        .ending(Signal::SIGTERM);
    let process = Process::start(spec, pair().await.run_dir()).unwrap();
    process.ready_line("every stage alone, with 100 texts there", WITHIN).await.unwrap();
    process.signal(Signal::SIGINT);
    let ended = tokio::time::timeout(WITHIN, process.wait()).await.expect("it ends");
    assert_eq!(ended.code(), Some(130), "{}", process.output());
    let told = schema::read(&dir.path().join("isolate.json"), "isolate");
    assert_eq!(told["verdict"]["ended"], "interrupted", "{}", process.output());
    assert!(told["costs"].as_array().unwrap().iter().any(|cost| cost["stage"] == "claim"));
}

#[tokio::test]
async fn a_sample_that_is_deeper_than_the_smallest_depth_is_refused() {
    let arguments = ["isolate", "--depth", "100,1000", "--sample", "200"];
    let output = binary::run_program(&binary::loadtest(), &arguments, &[]).await;
    assert_eq!(output.status, Some(2), "{output:?}");
    assert!(output.stderr.contains("--sample 200: no more than"), "{output:?}");
}
