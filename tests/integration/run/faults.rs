//! What goes wrong around a run: a disk that takes no report, a target that dies or hangs. The
//! numbers reach the terminal and the status says how it ended.

use std::os::unix::fs::symlink;
use std::process::Stdio;

use tests::binary::{self, Output};
use tests::database::pair;
use tests::wait::soon;
use tokio::process::Command;

use super::toy::{Toy, answer};
use super::{LENIENT, Server, json, run};
use stack::{Process, ProcessSpec};

const WORK: [&str; 6] = ["--rate", "50", "--duration", "1s", "--connections", "4"];

/// Ok or not, as its path says.
async fn service() -> Toy {
    Toy::start(|head| match head.split(' ').nth(1) {
        Some("/bad") => answer("500 Broken", "", ""),
        Some(_) | None => answer("200 OK", "", "ok"),
    })
    .await
}

#[tokio::test]
async fn a_full_disk_costs_the_report_and_not_the_numbers() {
    let service = service().await;
    for (path, status, verdict) in
        [("/good", 3, "PASS        every objective"), ("/bad", 1, "FAIL        GET:/bad")]
    {
        let dir = tempfile::tempdir().unwrap();
        for name in ["run.json", "run.html", "response.hlog"] {
            symlink("/dev/full", dir.path().join(name)).unwrap();
        }
        let reports = ["--report-dir", dir.path().to_str().unwrap()];
        let flags = ["run", "--target", &service.address, "--path", path];
        let output = run(&[&flags[..], &WORK, &reports, &LENIENT].concat()).await;
        assert_eq!(output.status, Some(status), "{output:?}");
        assert!(output.stdout.contains(verdict), "{output:?}");
        assert!(output.stdout.contains("50 requests over 1.00 s"), "{output:?}");
        for says in [
            "run.json: No space left on device",
            "no interval logs, as they would be cut short: No space",
        ] {
            assert!(output.stderr.contains(says), "{output:?}");
        }
        assert!(!dir.path().join("run.json").exists(), "nothing that is cut short stays");
        let xml = std::fs::read_to_string(dir.path().join("junit.xml")).unwrap();
        assert!(xml.contains("</testsuites>"), "what can be written is: {xml}");
    }
}

#[tokio::test]
async fn a_pass_without_its_interval_logs_is_none() {
    let service = service().await;
    let dir = tempfile::tempdir().unwrap();
    symlink("/dev/full", dir.path().join("response.hlog")).unwrap();
    let reports = ["--report-dir", dir.path().to_str().unwrap()];
    let flags = ["run", "--target", &service.address, "--path", "/good"];
    let output = run(&[&flags[..], &WORK, &reports, &LENIENT].concat()).await;
    assert_eq!(output.status, Some(3), "{output:?}");
    assert!(output.stdout.contains("PASS        every objective"), "{output:?}");
    assert_eq!(json(dir.path())["verdict"]["value"], "pass");
    for name in ["response.hlog", "service.hlog", "lag.hlog"] {
        let left = std::fs::symlink_metadata(dir.path().join(name));
        assert!(left.is_err(), "{name}: nothing that is cut short stays");
    }
}

#[tokio::test]
async fn numbers_that_nobody_reads_go_to_standard_error() {
    let service = service().await;
    let dir = tempfile::tempdir().unwrap();
    let reports = ["--report-dir", dir.path().to_str().unwrap()];
    let flags = ["run", "--target", &service.address, "--path", "/good"];
    let mut command = Command::new(binary::loadtest());
    command.args([&flags[..], &WORK, &reports, &LENIENT].concat());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut answered = service.answered.clone();
    soon("some answers", answered.wait_for(|answered| *answered >= 10)).await.unwrap();
    drop(child.stdout.take());
    let output = soon("its end", child.wait_with_output()).await.unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("standard output: Broken pipe"), "{stderr}");
    assert!(stderr.contains("PASS        every objective"), "{stderr}");
    assert_eq!(json(dir.path())["verdict"]["value"], "pass");
}

#[tokio::test]
async fn a_report_directory_that_is_taken_away_costs_the_report_alone() {
    let service = service().await;
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("report");
    let spec = ProcessSpec::new("robbed", binary::loadtest())
        .arguments(["run", "--target", &service.address, "--path", "/good"])
        .arguments(WORK)
        .arguments(["--report-dir", dir.to_str().unwrap()])
        .arguments(LENIENT);
    let running = Process::start(spec, pair().await.run_dir()).unwrap();
    let mut answered = service.answered.clone();
    soon("some answers", answered.wait_for(|answered| *answered >= 10)).await.unwrap();
    // In its place there is something that no file can be put into.
    std::fs::remove_dir_all(&dir).unwrap();
    std::fs::write(&dir, "").unwrap();
    let status = soon("its end", running.wait()).await;
    assert_eq!(status.code(), Some(3), "{}", running.output());
    assert!(running.output().contains("PASS        every objective"), "{}", running.output());
    assert!(running.output().contains("give another place with --report-dir"));
}

#[tokio::test]
async fn what_is_half_an_answer_or_none_is_a_failure_that_is_named() {
    // The last of them may be told as unanswered: the run ends as its time is over.
    for (answers, says) in [
        ("", " no answer in time"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", " no answer in time"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
            "50 answer is not HTTP",
        ),
        ("HTTP/1.1 2000 Far too OK\r\n\r\n", "50 answer is not HTTP"),
    ] {
        let service = Toy::start(|_| answers.to_owned()).await;
        let dir = tempfile::tempdir().unwrap();
        let reports = ["--report-dir", dir.path().to_str().unwrap(), "--timeout", "250ms"];
        let flags = ["run", "--target", &service.address];
        let work = ["--rate", "50", "--duration", "1s", "--connections", "32"];
        let output = run(&[&flags[..], &work, &reports, &LENIENT].concat()).await;
        assert_eq!(output.status, Some(1), "{output:?}");
        assert!(output.stdout.contains(says), "{answers:?}: {output:?}");
        assert!(output.stdout.contains(": 0.00 % of 50 in clean"), "{answers:?}: {output:?}");
    }
}

/// The service and its metrics die in the middle: both are told, with when.
#[tokio::test]
async fn a_target_that_dies_takes_its_metrics_along() {
    let metrics = Toy::start(|_| answer("200 OK", "", "process_cpu_seconds_total 1\n")).await;
    let server = Server::start(super::OK, 20).await;
    let dir = tempfile::tempdir().unwrap();
    let address = metrics.address.clone();
    let flags = ["--metrics", &address, "--rate", "50", "--duration", "3s"];
    let arguments = [&server.flags(dir.path())[..], &flags].concat();
    let mut answered = server.answered.clone();
    let dying = async {
        soon("its death", answered.wait_for(|answered| *answered >= 20)).await.unwrap();
        drop(metrics);
    };
    let (output, ()): (Output, ()) = tokio::join!(run(&arguments), dying);
    assert_eq!(output.status, Some(1), "{output:?}");
    let run = &json(dir.path())["run"];
    assert_eq!(run["kinds"][0]["counts"]["total"], 150, "late or failed, never dropped");
    assert!(run["inside"]["failed"].as_u64().unwrap() > 0, "{}", run["inside"]);
    let first = run["inside"]["first_failure"].as_str().unwrap();
    assert!(first.contains(" s from the start: GET http://"), "{first}");
}
