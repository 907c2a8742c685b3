//! `loadtest run` against servers that behave, fail, die and talk nonsense: how it ends and what it
//! says.
//!
//! Never here: latencies; on a machine that others use they prove nothing.

mod both_sides;
mod faults;
mod toy;

use std::path::Path;
use std::sync::Arc;

use nix::sys::signal::Signal;
use serde_json::Value;
use stack::{Process, ProcessSpec};
use tests::binary::{self, Output};
use tests::database::pair;
use tests::schema;
use tests::wait::soon;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Judges by the answers alone, whatever the machine does meanwhile.
const LENIENT: [&str; 14] = [
    "--objective",
    "20s",
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
];
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A server with one answer, which is gone after so many.
struct Server {
    address: String,
    answered: watch::Receiver<usize>,
}

impl Server {
    async fn start(answer: &'static str, gone_after: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (count, answered) = watch::channel(0);
        let count = Arc::new(count);
        let mut over = answered.clone();
        tokio::spawn(async move {
            let mut connections = JoinSet::new();
            let accepting = async {
                while let Ok((stream, _)) = listener.accept().await {
                    connections.spawn(serve(stream, answer, count.clone()));
                }
            };
            // What was accepted ends with the listener.
            tokio::select! {
                () = accepting => {}
                _ = over.wait_for(|answered| *answered >= gone_after) => {}
            }
        });
        Self { address, answered }
    }

    /// Runs against it with flags of its own, beside those of a run of 200 requests in a second.
    async fn run(&self, dir: &Path, flags: &[&str]) -> Output {
        let work = ["--rate", "200", "--duration", "1s", "--path", "/a/1"];
        run(&[&self.flags(dir)[..], &work, flags].concat()).await
    }

    fn flags<'a>(&'a self, dir: &'a Path) -> Vec<&'a str> {
        let dir = dir.to_str().unwrap();
        let own = ["run", "--target", &self.address, "--connections", "4", "--report-dir", dir];
        [&own[..], &LENIENT].concat()
    }
}

async fn serve(mut stream: TcpStream, answer: &'static str, count: Arc<watch::Sender<usize>>) {
    let mut bytes = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut bytes).await {
        while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            bytes.drain(..end + 4);
            count.send_modify(|count| *count += 1);
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

async fn run(arguments: &[&str]) -> Output {
    binary::run_program(&binary::loadtest(), arguments, &[]).await
}

fn json(dir: &Path) -> Value {
    schema::read(&dir.join("run.json"), "run")
}

fn one_line(output: &Output) -> &str {
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{output:?}");
    lines[0]
}

#[tokio::test]
async fn what_is_planned_is_sent_once_measured_logged_and_judged() {
    let server = Server::start(OK, usize::MAX).await;
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    for dir in [&one, &other] {
        let output = server.run(dir, &[]).await;
        assert_eq!(output.status, Some(0), "{output:?}");
        assert!(output.stdout.contains("\nPASS        every objective was met"), "{output:?}");
    }
    assert_eq!(*server.answered.borrow(), 400);
    let (first, second) = (json(&one), json(&other));
    assert_eq!(first["run"]["plan_hash"], second["run"]["plan_hash"]);
    let kind = &first["run"]["kinds"][0];
    assert_eq!((&kind["name"], &kind["counts"]["good"]), (&"GET:/a/{id}".into(), &200.into()));
    let windows = first["run"]["windows"].as_array().unwrap();
    let counted: u64 = windows.iter().map(|w| w["rows"][0]["count"].as_u64().unwrap()).sum();
    assert_eq!(counted, 200, "the windows add up to the run");
    assert!(one.join("goose/report.html").exists());

    let log = std::fs::read_to_string(one.join("response.hlog")).unwrap();
    let (_, start) = log.split_once("[StartTime: ").unwrap();
    let start: f64 = start.split(' ').next().unwrap().parse().unwrap();
    let started_at = first["run"]["started_at"].as_str().unwrap();
    let started_at: jiff::Timestamp = started_at.parse().unwrap();
    let apart = start - started_at.as_nanosecond() as f64 / 1e9;
    assert!(apart.abs() < 0.001, "the log counts from the run's start: {apart} s apart");

    let files = [&one, &other].map(|dir| dir.join("response.hlog").display().to_string());
    let merged = dir.path().join("merged.hlog").display().to_string();
    let output = run(&["merge", "--out", &merged, &files[0], &files[1]]).await;
    assert!(output.stdout.ends_with("merged.hlog: 400 requests of 2 logs\n"), "{output:?}");
    let output = run(&["compare", one.to_str().unwrap(), other.to_str().unwrap()]).await;
    assert_eq!(output.status, Some(0), "{output:?}");
    let hash = first["run"]["plan_hash"].as_str().unwrap();
    let head = format!("plan {hash} of both; base PASS, head PASS\n");
    assert!(output.stdout.starts_with(&head), "{output:?}");
}

#[tokio::test]
async fn a_trace_is_replayed_with_its_bodies_under_its_names() {
    let server = Server::start(OK, usize::MAX).await;
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace.csv");
    std::fs::write(&trace, "t,path,name\n0,/a,first\n0.1,/b,second\n0.2,/c,first\n").unwrap();
    let work = ["--trace", trace.to_str().unwrap(), "--objective", "second=30s"];
    let output = run(&[&server.flags(dir.path())[..], &work].concat()).await;
    assert_eq!(output.status, Some(0), "{output:?}");
    let run = &json(dir.path())["run"];
    let kinds = run["kinds"].as_array().unwrap();
    let of = |kind: &Value| (kind["name"].clone(), kind["counts"]["total"].clone());
    assert_eq!(of(&kinds[0]), ("first".into(), 2.into()));
    assert_eq!(of(&kinds[1]), ("second".into(), 1.into()));
}

#[tokio::test]
async fn a_service_that_fails_is_a_failure_and_says_how() {
    let refuses = "HTTP/1.1 503 Full\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
    for (answer, gone_after, says) in [
        (refuses, usize::MAX, "200 status 503 (from 0:00 on)"),
        ("220 mail.example ESMTP\r\n", usize::MAX, "200 answer is not HTTP"),
        (OK, 50, " no connection (from 0:00 on)"),
    ] {
        let server = Server::start(answer, gone_after).await;
        let dir = tempfile::tempdir().unwrap();
        let output = server.run(dir.path(), &[]).await;
        assert_eq!(output.status, Some(1), "{output:?}");
        assert!(output.stdout.contains(says), "{output:?}");
        assert!(output.stdout.contains("FAIL        GET:/a/{id}: "), "{output:?}");
        let run = &json(dir.path())["run"];
        let counts = &run["kinds"][0]["counts"];
        assert_eq!(counts["total"], 200, "late or failed, never dropped: {counts}");
        let of = |value: &Value| value.as_u64().unwrap();
        let refused = of(&counts["refused"]);
        assert_eq!(of(&run["sent"]) + refused, 200, "what found no connection was not sent");
        assert_eq!(refused > 0, gone_after < usize::MAX, "{counts}");
    }
}

/// All of the little that it is sent stays without an answer; that the harness can't send the rest
/// is no excuse.
#[tokio::test]
async fn a_service_that_hangs_fails_though_most_was_never_sent() {
    let server = Server::start("", usize::MAX).await;
    let dir = tempfile::tempdir().unwrap();
    let flags = ["--rate", "2000", "--duration", "1s", "--path", "/a", "--timeout", "1s"];
    let lenient = without(&["--objective", "--achieved-min"]);
    let judged = ["--objective", "100ms", "--achieved-min", "99.5"];
    let own = ["run", "--target", &server.address, "--connections", "4"];
    let place = ["--report-dir", dir.path().to_str().unwrap()];
    let output = run(&[&own[..], &place, &lenient, &flags, &judged].concat()).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    assert!(output.stdout.contains("requests that it was asked failed"), "{output:?}");
    let counts = &json(dir.path())["run"]["kinds"][0]["counts"];
    assert!(counts["unsent"].as_u64().unwrap() > 1_900, "{counts}");
}

/// A harness without a processor of its own can't tell anything.
#[tokio::test]
async fn a_run_that_cannot_tell_is_invalid() {
    let server = Server::start(OK, usize::MAX).await;
    let dir = tempfile::tempdir().unwrap();
    let work = ["--rate", "200", "--duration", "1s", "--path", "/a/1"];
    let lenient = without(&["--busy-max", "--spoilt-max"]);
    let own = ["run", "--target", &server.address, "--busy-max", "0", "--spoilt-max", "0"];
    let place = ["--report-dir", dir.path().to_str().unwrap()];
    let output = run(&[&own[..], &place, &lenient, &work].concat()).await;
    assert_eq!(output.status, Some(3), "{output:?}");
    assert!(output.stdout.contains("\nINVALID     "), "{output:?}");
    assert!(output.stdout.contains("by a harness out of processor time"), "{output:?}");
    let verdict = &json(dir.path())["verdict"];
    assert_eq!(verdict["value"], "invalid", "{verdict}");
    let xml = std::fs::read_to_string(dir.path().join("junit.xml")).unwrap();
    assert!(xml.contains("<error") && xml.contains("failures=\"0\""), "{xml}");
}

/// The lenient flags but for these.
fn without(names: &[&str]) -> Vec<&'static str> {
    let kept = LENIENT.chunks(2).filter(|flag| !names.contains(&flag[0]));
    kept.flatten().copied().collect()
}

#[tokio::test]
async fn a_target_that_is_away_is_one_clear_line() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let output = run(&["run", "--target", &gone, "--rate", "1"]).await;
    assert_eq!(output.status, Some(3), "{output:?}");
    let line = one_line(&output);
    assert!(line.contains(&gone) && line.contains("Connection refused"), "{line}");
    assert!(line.ends_with("is the service up, and is --target right?"), "{line}");
}

#[tokio::test]
async fn what_cannot_be_used_is_one_clear_line() {
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace.ndjson");
    std::fs::write(&trace, "{\"t\":2,\"path\":\"/\"}\n{\"t\":1,\"path\":\"/\"}\n").unwrap();
    let trace = trace.to_str().unwrap();
    for (arguments, says) in [
        (&["plan", "--trace", trace][..], "trace.ndjson:2: its time is 1.000 s before"),
        (&["plan", "--rate", "fast"], "--rate \"fast\": write a rate a second"),
        (
            &["run", "--target", "127.0.0.1:1", "--rate", "9", "--objective", "x=1s"],
            "--objective x: no request has that name; the plan has GET:/",
        ),
    ] {
        let output = run(arguments).await;
        assert_eq!(output.status, Some(2), "{output:?}");
        assert!(one_line(&output).contains(says), "{output:?}");
    }
}

#[tokio::test]
async fn ctrl_c_reports_what_there_is() {
    let server = Server::start(OK, usize::MAX).await;
    let dir = tempfile::tempdir().unwrap();
    let spec = ProcessSpec::new("interrupted", binary::loadtest())
        .arguments(server.flags(dir.path()))
        .arguments(["--rate", "100", "--duration", "10m"]);
    let dashboard = stack::ports::free_port().unwrap().to_string();
    let spec = spec.arguments(["--dashboard", dashboard.as_str()]);
    let running = Process::start(spec, pair().await.run_dir()).unwrap();
    let mut answered = server.answered.clone();
    soon("some answers", answered.wait_for(|answered| *answered >= 20)).await.unwrap();
    let page = first_line(&format!("127.0.0.1:{dashboard}")).await;
    assert_eq!(page, "HTTP/1.1 200 OK", "goose's dashboard is up meanwhile");
    // As GNU's timeout does: its child, and then the group with the child in it.
    running.signal(Signal::SIGINT);
    running.signal(Signal::SIGTERM);
    let status = soon("its end", running.wait()).await;
    assert_eq!(status.code(), Some(130), "{}", running.output());
    assert!(running.output().contains("INTERRUPTED stopped before its end"));
    let json = json(dir.path());
    assert_eq!(json["verdict"]["value"], "interrupted");
    let counts = &json["run"]["kinds"][0]["counts"];
    assert!((20..60_000).contains(&counts["total"].as_u64().unwrap()), "{counts}");
    let xml = std::fs::read_to_string(dir.path().join("junit.xml")).unwrap();
    assert!(xml.contains("<skipped") && xml.contains("failures=\"0\""), "not judged: {xml}");
    let page = std::fs::read_to_string(dir.path().join("run.html")).unwrap();
    assert!(page.contains("INTERRUPTED"), "{page}");
}

/// What a web server answers first.
async fn first_line(address: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut bytes = Vec::new();
    while !bytes.contains(&b'\r') {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "it answers");
    }
    String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned()
}
