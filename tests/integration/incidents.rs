//! `loadtest incidents`: each of them ends well in small, and was seen.
//!
//! Never here: how fast anything was.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use stack::{Process, ProcessSpec};
use tests::binary;
use tests::database::pair;

/// All of them take about a minute and a half; a machine that is busy with other tests may take
/// much longer.
const WITHIN: Duration = Duration::from_secs(400);

#[tokio::test]
async fn each_ends_well_and_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let alerts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../alerts");
    let spec = ProcessSpec::new("incidents", binary::loadtest())
        .arguments(["incidents", "--size", "300"])
        .argument(format!("--alerts={}", alerts.display()))
        .argument(format!("--report-dir={}", dir.path().display()))
        .ending(Signal::SIGTERM);
    let process = Process::start(spec, pair().await.run_dir()).unwrap();
    let ended = tokio::time::timeout(WITHIN, process.wait()).await;
    let ended = ended.unwrap_or_else(|_| panic!("it takes too long: {}", process.output()));
    let output = process.output();
    assert_eq!(ended.code(), Some(0), "{output}");
    assert!(dir.path().join("incidents.md").is_file());
    let json = std::fs::read_to_string(dir.path().join("incidents.json")).unwrap();
    let told: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(told["ended"], "passed", "{output}");
    let incidents = told["incidents"].as_array().unwrap();
    assert_eq!(incidents.len(), 6, "{output}");
    for incident in incidents {
        assert!(!incident["checks"].as_array().unwrap().is_empty(), "{output}");
        assert!(!incident["seen"].as_array().unwrap().is_empty(), "{output}");
    }
    // The rules are evaluated by a real Prometheus; this one needs no minutes of history.
    let of = |name: &str| incidents.iter().find(|incident| incident["name"] == name).unwrap();
    let raised = of("id_space")["alerts"].as_array().unwrap();
    let names: Vec<&str> = raised.iter().filter_map(|alert| alert["name"].as_str()).collect();
    assert!(names.contains(&"PunctualIdSpaceUsed"), "{names:?}: {output}");
}

#[tokio::test]
async fn a_name_that_is_none_is_refused_with_those_that_there_are() {
    let loadtest = binary::loadtest();
    let output = binary::run_program(&loadtest, &["incidents", "everything_burns"], &[]).await;
    assert_eq!(output.status, Some(2), "{output:?}");
    assert!(output.stderr.contains("provider_slows"), "{output:?}");
    let listed = binary::run_program(&loadtest, &["incidents", "--list"], &[]).await;
    assert_eq!((listed.status, listed.stdout.lines().count()), (Some(0), 6), "{listed:?}");
}
