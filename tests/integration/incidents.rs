//! `loadtest incidents`: each of them ends well in small, and was seen.
//!
//! Never here: how fast anything was.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use stack::{Process, ProcessSpec};
use tests::database::pair;
use tests::{binary, schema};

/// All of them take about a minute and a half; a machine that is busy with other tests may take
/// much longer.
const WITHIN: Duration = Duration::from_secs(400);

/// Runs it to its end: its status, and what it printed.
async fn incidents(name: &str, dir: &Path, flags: &[&str]) -> (Option<i32>, String) {
    let alerts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../alerts");
    let spec = ProcessSpec::new(name, binary::loadtest())
        .arguments([&["incidents"], flags].concat())
        .argument(format!("--alerts={}", alerts.display()))
        .argument(format!("--report-dir={}", dir.display()))
        .ending(Signal::SIGTERM);
    let process = Process::start(spec, pair().await.run_dir()).unwrap();
    let ended = tokio::time::timeout(WITHIN, process.wait()).await;
    let ended = ended.unwrap_or_else(|_| panic!("it takes too long: {}", process.output()));
    (ended.code(), process.output())
}

#[tokio::test]
async fn each_ends_well_and_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let (status, output) = incidents("incidents", dir.path(), &["--size", "300"]).await;
    assert_eq!(status, Some(0), "{output}");
    for file in ["incidents.txt", "incidents.md", "incidents.html"] {
        assert!(dir.path().join(file).is_file(), "{file}");
    }
    let xml = std::fs::read_to_string(dir.path().join("junit.xml")).unwrap();
    assert!(xml.matches("<testsuite ").count() == 7 && xml.contains("failures=\"0\""), "{xml}");
    let told = schema::read(&dir.path().join("incidents.json"), "incidents");
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
async fn a_full_disk_costs_the_report_and_not_what_became_of_it() {
    let dir = tempfile::tempdir().unwrap();
    symlink("/dev/full", dir.path().join("incidents.html")).unwrap();
    let flags = ["--size", "100", "endpoint_creeps"];
    let (status, output) = incidents("incidents-full", dir.path(), &flags).await;
    assert_eq!(status, Some(3), "{output}");
    assert!(output.contains("PASS        every incident ended well"), "{output}");
    assert!(output.contains("incidents.html: No space left on device"), "{output}");
    schema::read(&dir.path().join("incidents.json"), "incidents");
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
