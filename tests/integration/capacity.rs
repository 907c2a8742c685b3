//! `loadtest capacity` against a service whose ceiling is known: it works on one request at a time,
//! ten milliseconds each, so it carries 100 a second and no more, on any machine that keeps time.
//!
//! Never here: the search's own arithmetic (unit tests of `capacity`).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use stack::{Process, ProcessSpec};
use tests::binary::{self, Output};
use tests::database::pair;
use tests::schema;
use tests::wait::soon;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinSet;
use tokio::time::Instant;

const WORK: Duration = Duration::from_millis(10);
const CEILING: f64 = 100.0;
/// Ten steps of a second or two each, on a loaded machine.
const WITHIN: Duration = Duration::from_secs(180);
/// Three stacks, one after the other, on a machine that is busy with other tests.
const SWEPT_WITHIN: Duration = Duration::from_secs(240);

/// The one that works: it is free again at this instant. A request that comes late, as the machine
/// was busy, is not charged for it: the ceiling stays what it is.
type Worker = Arc<Mutex<Instant>>;

async fn one_at_a_time() -> String {
    with_requests_left(usize::MAX).await
}

/// The same, gone after so many requests: nobody listens any more, and connections end.
async fn with_requests_left(requests: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let worker: Worker = Arc::new(Mutex::new(Instant::now()));
    let left = Arc::new(Left { requests: AtomicUsize::new(requests), gone: Notify::new() });
    tokio::spawn(async move {
        // They end with the set that they are in.
        let mut serving = JoinSet::new();
        let end = left.clone();
        let gone = end.gone.notified();
        tokio::pin!(gone);
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        serving.spawn(serve(stream, worker.clone(), left.clone()));
                    }
                    Err(_) => return,
                },
                () = &mut gone => return,
            }
        }
    });
    address
}

/// How many requests a service answers yet.
struct Left {
    requests: AtomicUsize,
    gone: Notify,
}

async fn serve(mut stream: TcpStream, worker: Worker, left: Arc<Left>) {
    let mut bytes = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut bytes).await {
        while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            bytes.drain(..end + 4);
            if left.requests.fetch_sub(1, Ordering::Relaxed) <= 1 {
                left.gone.notify_one();
                return;
            }
            let done = {
                let mut free = worker.lock().await;
                *free = (*free).max(Instant::now()) + WORK;
                *free
            };
            tokio::time::sleep_until(done).await;
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    }
}

/// Searches from 20 a second on, quickly, judging by the answers whatever the machine does.
async fn search(address: &str, dir: &Path, flags: &[&str]) -> Output {
    let own = ["capacity", "--target", address, "--report-dir", dir.to_str().unwrap()];
    let rates = ["--start", "20", "--step", "1s", "--within", "50", "--repeats", "1", "--even"];
    let judged = ["--objective", "400ms@80", "--lag-max", "100", "--spoilt-max", "100"];
    let loose = ["--steal-max", "100", "--waiting-max", "100000", "--busy-max", "100"];
    let how = ["--connections", "32", "--timeout", "2s"];
    let arguments = [&own[..], &rates, &judged, &loose, &how, flags].concat();
    let program = binary::loadtest();
    binary::tool(program.to_str().unwrap(), &arguments, WITHIN).await
}

#[tokio::test]
async fn the_ceiling_of_a_service_is_found_between_two_rates() {
    let address = one_at_a_time().await;
    let dir = tempfile::tempdir().unwrap();
    let output = search(&address, dir.path(), &["--messages", "5_000_000"]).await;
    assert_eq!(output.status, Some(0), "{output:?}");
    let json = schema::read(&dir.path().join("capacity.json"), "capacity");
    let bracket = &json["answer"]["bracket"];
    let rate = |end: &str| bracket[end]["rate"].as_f64().unwrap();
    // What is above the ceiling by little passes as long as its queue is short; what is below may
    // fail on a machine that stands still. Twice the ceiling and half of it can do neither.
    assert!(rate("passes") >= CEILING / 2.0 * 0.8, "{bracket}");
    assert!(rate("fails") <= CEILING * 2.0, "{bracket}");
    assert!(rate("passes") < rate("fails"), "{bracket}");
    for says in ["half a million messages a day at its peak hour", "A day of 5,000,000 messages"] {
        assert!(output.stdout.contains(says), "{output:?}");
    }
    let page = std::fs::read_to_string(dir.path().join("capacity.html")).unwrap();
    assert!(page.contains("Universal Scalability Law") && page.contains("<svg"), "{page}");
    assert!(dir.path().join("steps/01-20/response.hlog").exists());
    assert!(dir.path().join("junit.xml").exists() && dir.path().join("capacity.md").exists());
}

#[tokio::test]
async fn less_than_was_asked_for_is_a_failure() {
    let address = one_at_a_time().await;
    let dir = tempfile::tempdir().unwrap();
    let output = search(&address, dir.path(), &["--at-least", "1000", "--most", "20"]).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    assert!(output.stdout.contains("1,000/s was asked for"), "{output:?}");
    assert!(output.stdout.contains("no backlog is known"), "nobody told it: {output:?}");
}

/// A service that says of itself that four things wait, at any path.
async fn metrics() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\nqueue_depth 4\n";
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = Vec::new();
                while let Ok(1..) = stream.read_buf(&mut bytes).await {
                    if bytes.ends_with(b"\r\n\r\n") {
                        bytes.clear();
                        _ = stream.write_all(answer.as_bytes()).await;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_backlog_that_the_service_does_not_have_is_refused() {
    let (address, metrics) = (one_at_a_time().await, metrics().await);
    let dir = tempfile::tempdir().unwrap();
    let flags = ["--metrics", &metrics, "--most", "20", "--backlog"];
    let output = search(&address, dir.path(), &[&flags[..], &["queue_dpeth"]].concat()).await;
    assert_eq!((output.status, output.stderr.lines().count()), (Some(2), 1), "{output:?}");
    assert!(output.stderr.contains("queue_dpeth: the service says nothing of it"), "{output:?}");
    let output = search(&address, dir.path(), &[&flags[..], &["queue_depth"]].concat()).await;
    assert_eq!(output.status, Some(0), "{output:?}");
}

#[tokio::test]
async fn ctrl_c_reports_what_is_known_so_far() {
    let address = one_at_a_time().await;
    let dir = tempfile::tempdir().unwrap();
    let reports = ["--report-dir", dir.path().to_str().unwrap()];
    let spec = ProcessSpec::new("interrupted", binary::loadtest())
        .arguments(["capacity", "--target", &address, "--step", "1s", "--start", "1", "--even"])
        .arguments(["--objective", "20s@10", "--connections", "4"])
        .arguments(reports);
    let running = Process::start(spec, pair().await.run_dir()).unwrap();
    running.ready_line("step     1.0/s: ", WITHIN).await.unwrap();
    running.signal(Signal::SIGINT);
    let status = soon("its end", running.wait()).await;
    assert_eq!(status.code(), Some(130), "{}", running.output());
    assert!(running.output().contains("INTERRUPTED stopped before"), "{}", running.output());
    let json = schema::read(&dir.path().join("capacity.json"), "capacity");
    assert_eq!(json["answer"]["verdict"], "interrupted");
    assert!(!json["steps"].as_array().unwrap().is_empty(), "{json}");
}

#[tokio::test]
async fn a_target_that_is_away_is_one_clear_line() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let output = search(&gone, dir.path(), &[]).await;
    assert_eq!(output.status, Some(3), "{output:?}");
    assert!(output.stderr.contains("is the service up, and is --target right?"), "{output:?}");
}

/// Each step has 56 requests, four times what 80 % needs: the second one is too much for it.
#[tokio::test]
async fn a_target_that_dies_leaves_the_steps_before_it() {
    let address = with_requests_left(85).await;
    let dir = tempfile::tempdir().unwrap();
    let output = search(&address, dir.path(), &[]).await;
    assert_eq!(output.status, Some(3), "{output:?}");
    assert!(output.stdout.contains("the search broke off after"), "{output:?}");
    let json = schema::read(&dir.path().join("capacity.json"), "capacity");
    assert_eq!(json["answer"]["verdict"], "invalid");
    assert!(json["answer"]["broke_off"].to_string().contains("could connect"), "{json}");
    assert_eq!(json["steps"][0]["rate"].as_f64(), Some(20.0), "{json}");
    assert!(dir.path().join("capacity.html").exists() && dir.path().join("junit.xml").exists());
}

/// Sweeps the pools of the service's own stack in a few short steps.
fn sweep(name: &str, dir: &Path, flags: &[&str]) -> ProcessSpec {
    let at = ["capacity", "--pools-at", "60", "--pools", "3s", "--spoilt-max", "100"];
    ProcessSpec::new(name, binary::loadtest())
        .arguments(at)
        .arguments(["--no-faults", "--no-prometheus", "--connections", "16"])
        .arguments(flags)
        .argument(format!("--report-dir={}", dir.display()))
        .ending(Signal::SIGTERM)
}

/// A pool's connections and workers in each step.
fn laid(sweep: &Value, pool: &str) -> Vec<(u64, u64)> {
    let of_step = |step: &Value| {
        let pools = step["pools"].as_array().unwrap();
        let found = pools.iter().find(|found| found["pool"] == pool).unwrap();
        assert!(found["waits"].as_u64() > Some(0), "nobody took a connection: {found}");
        let number = |what: &str| found[what].as_u64().unwrap();
        (number("connections"), number("workers"))
    };
    sweep["steps"].as_array().unwrap().iter().map(of_step).collect()
}

/// With a confidence of 50 % the rarest critical paths need 69 cases, and get four times as many: a
/// day of 45 texts a second is longer than its minute for that.
#[tokio::test]
async fn a_step_of_the_own_stack_has_cases_enough_of_every_critical_path() {
    let dir = tempfile::tempdir().unwrap();
    let spec = ProcessSpec::new("searched", binary::loadtest())
        .arguments(["capacity", "--start", "45", "--most", "45", "--confidence", "50"])
        .arguments(["--no-pools", "--no-faults", "--no-prometheus", "--connections", "16"])
        .arguments(["--spoilt-max", "100"])
        .argument(format!("--report-dir={}", dir.path().display()))
        .ending(Signal::SIGTERM);
    let running = Process::start(spec, pair().await.run_dir()).unwrap();
    running.ready_line("step     45", SWEPT_WITHIN).await.unwrap();
    // One step has told it; the others are repeats.
    running.signal(Signal::SIGINT);
    let ended = tokio::time::timeout(SWEPT_WITHIN, running.wait()).await.expect("it ends");
    assert_eq!(ended.code(), Some(130), "{}", running.output());
    let json = schema::read(&dir.path().join("capacity.json"), "capacity");
    let step = &json["steps"][0];
    let day: String = step["measured"]["plan"]["source"].to_string();
    let texts: String = day.chars().filter(char::is_ascii_digit).collect();
    assert!(texts.parse::<u32>().unwrap() > 2_850, "{day}");
    let kinds = step["measured"]["kinds"].as_array().unwrap();
    for rare in ["receive_reply", "reply_to_shown", "cancel_appointment", "cancel_to_safe"] {
        let kind = kinds.iter().find(|kind| kind["name"] == rare);
        assert!(kind.unwrap()["total"].as_u64() > Some(2 * 69), "{rare}: {step}");
    }
    // Whether a busy machine is fast enough is another matter.
    assert!(!step["reasons"].to_string().contains(" cases of "), "{step}");
}

#[tokio::test]
async fn each_step_of_a_sweep_has_the_connections_and_workers_that_were_set() {
    let dir = tempfile::tempdir().unwrap();
    let spec = sweep("pools", dir.path(), &["--pools-steps", "2"]);
    let running = Process::start(spec, pair().await.run_dir()).unwrap();
    let ended = tokio::time::timeout(SWEPT_WITHIN, running.wait()).await;
    let output = running.output();
    assert_eq!(ended.expect(&output).code(), Some(0), "{output}");
    let json = schema::read(&dir.path().join("capacity.json"), "capacity");
    assert_eq!(
        (&json["answer"]["verdict"], json["steps"].as_array().unwrap().len()),
        (&"pass".into(), 0)
    );
    let sweep = &json["answer"]["sweep"];
    assert_eq!((&sweep["rate"], &sweep["broke_off"]), (&60.0.into(), &Value::Null));
    for (pool, by_default) in [("interactive", (8, 4)), ("pipeline", (6, 8))] {
        let laid = laid(sweep, pool);
        assert_eq!((laid.len(), laid[0]), (3, by_default), "{sweep}");
        let answers = sweep["pools"].as_array().unwrap().iter();
        let answer = answers.map(|a| &a["by_law"]).find(|law| law["pool"] == pool).unwrap();
        assert!(answer["rate"].as_f64() > Some(0.0), "nothing was checked out: {answer}");
        let size = answer["size"].as_u64().unwrap();
        // The half is rounded up.
        let tried = [size.div_ceil(2), size, size * 2];
        assert!(laid[1..].iter().all(|(size, _)| tried.contains(size)), "{laid:?}: {answer}");
        let said = format!("{pool} of size {} with {} workers", laid[1].0, laid[1].1);
        assert!(output.contains(&said), "{said}, in: {output}");
    }
    let both = |step: usize| [laid(sweep, "interactive")[step], laid(sweep, "pipeline")[step]];
    assert_ne!(both(1), both(2), "no step is tried twice");
    assert!(output.contains("so by Little's law"), "{output}");
    let page = std::fs::read_to_string(dir.path().join("capacity.html")).unwrap();
    assert!(page.contains("wait for a connection of interactive, p99"), "{page}");
    let markdown = std::fs::read_to_string(dir.path().join("capacity.md")).unwrap();
    assert!(markdown.contains("Pools and workers"), "{markdown}");
}

#[tokio::test]
async fn a_sweep_that_is_stopped_tells_the_steps_that_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let spec = sweep("pools-stopped", dir.path(), &[]);
    let running = Process::start(spec, pair().await.run_dir()).unwrap();
    running.ready_line("pools    1 of ", SWEPT_WITHIN).await.unwrap();
    running.signal(Signal::SIGINT);
    let ended = tokio::time::timeout(SWEPT_WITHIN, running.wait()).await.expect("it ends");
    assert_eq!(ended.code(), Some(130), "{}", running.output());
    let json = schema::read(&dir.path().join("capacity.json"), "capacity");
    let sweep = &json["answer"]["sweep"];
    assert_eq!(
        (&json["answer"]["verdict"], &sweep["broke_off"]),
        (&"interrupted".into(), &"stopped".into())
    );
    assert!(!sweep["steps"].as_array().unwrap().is_empty(), "{sweep}");
}

#[tokio::test]
async fn the_pools_of_another_service_are_not_swept() {
    let sweeps =
        [&["--pools", "5s"][..], &["--no-pools"], &["--pools-at", "5"], &["--pools-steps", "5"]];
    for flags in sweeps {
        let arguments = [&["capacity", "--target", "127.0.0.1:9"], flags].concat();
        let output = binary::run_program(&binary::loadtest(), &arguments, &[]).await;
        assert_eq!((output.status, output.stderr.lines().count()), (Some(2), 1), "{output:?}");
        assert!(output.stderr.contains("--target"), "{output:?}");
    }
}
