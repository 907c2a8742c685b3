//! Restarts: what was answered is in the log, whatever became of the simulator.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use http::StatusCode;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::client::{MESSAGES, get, post, send, text};
use super::receiver::Receiver;
use super::{Fixture, PATIENCE};
use crate::provider::{Fates, Latency, LogError, Options, Simulator, StartError, read_log};

/// Set, it makes the test binary a simulator with this log, to be killed.
const CHILD_LOG: &str = "PUNCTUAL_TEST_PROVIDER_LOG";

#[tokio::test]
async fn look_ups_and_numbers_go_on() {
    let fixture = Fixture::new().await;
    let before = text(&fixture.simulator, "+99912345678", "before", "").await;
    let Fixture { simulator, folder } = fixture;
    assert_eq!(simulator.stop().await.accepted, 1);

    let simulator = Simulator::start(options(&folder)).await.unwrap();
    assert_eq!((simulator.state().messages, simulator.state().accepted), (1, 0));
    let found = send(&simulator, get(before.json["uri"].as_str().unwrap())).await.unwrap();
    assert_eq!(found.json["body"], "before");
    let again = text(&simulator, "+99912345678", "before", "").await;
    assert_ne!(again.json["sid"], before.json["sid"]);
    let list = send(&simulator, get(&format!("{MESSAGES}?To=%2B99912345678"))).await.unwrap();
    assert_eq!(list.json["messages"].as_array().unwrap().len(), 2);
    let log: Vec<_> = read_log(simulator.log_path()).unwrap().map(Result::unwrap).collect();
    assert_eq!(log.iter().map(|it| (it.seq, it.attempt)).collect::<Vec<_>>(), [(1, 1), (2, 2)]);
    assert!(log[0].t_ns < log[1].t_ns);
}

#[tokio::test]
async fn a_torn_last_line_was_never_answered_and_goes() {
    let fixture = Fixture::new().await;
    text(&fixture.simulator, "+99912345678", "whole", "").await;
    let Fixture { simulator, folder } = fixture;
    let path = simulator.log_path().to_owned();
    drop(simulator);
    let whole = std::fs::read(&path).unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(&whole[..whole.len() / 2]).unwrap();
    assert_eq!(read_log(&path).unwrap().map(Result::unwrap).count(), 1);

    let simulator = Simulator::start(options(&folder)).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), whole);
    text(&simulator, "+99912345678", "next", "").await;
    let log: Vec<_> = read_log(&path).unwrap().map(Result::unwrap).collect();
    assert_eq!(log.iter().map(|it| it.body.as_str()).collect::<Vec<_>>(), ["whole", "next"]);
}

#[tokio::test]
async fn callbacks_that_were_still_to_come_come() {
    let mut receiver = Receiver::start().await;
    let fixture = Fixture::with(|options| {
        options.fates = Fates {
            sent_delay: Latency::NONE,
            final_delay: Latency::Constant { ms: 60_000.0 },
            ..Fates::default()
        };
    })
    .await;
    text(&fixture.simulator, "+99912345678", "hello", &receiver.url("/cb")).await;
    assert_eq!(receiver.next().await.field("MessageStatus").as_deref(), Some("sent"));
    fixture.wait_for(|state| state.callbacks.acknowledged == 1).await;
    let Fixture { simulator, folder } = fixture;
    drop(simulator);

    let mut options = options(&folder);
    options.fates.final_delay = Latency::NONE;
    let simulator = Simulator::start(options).await.unwrap();
    assert_eq!(receiver.next().await.field("MessageStatus").as_deref(), Some("delivered"));
    simulator.wait_for(|state| state.callbacks.pending == 0).await;
    assert!(receiver.is_empty(), "what was acknowledged isn't sent again");
}

#[tokio::test]
async fn two_simulators_never_share_a_log() {
    let fixture = Fixture::new().await;
    let error = Simulator::start(options(&fixture.folder)).await.unwrap_err();
    assert!(matches!(error, StartError::Log(LogError::InUse(_))), "{error}");
}

/// Not a test of its own: the process that the next test kills.
#[tokio::test]
async fn child() {
    let Ok(log) = std::env::var(CHILD_LOG) else {
        return;
    };
    let simulator = Simulator::start(Options::new(log)).await.unwrap();
    println!("\nlistening on {}", simulator.address());
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_answered_is_lost_by_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["provider::tests::restarted::child", "--exact", "--nocapture"])
        .env(CHILD_LOG, log(&folder))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address: SocketAddr = lines
        .map(Result::unwrap)
        .find_map(|line| line.strip_prefix("listening on ").map(|it| it.parse().unwrap()))
        .unwrap();

    let answered = Arc::new(Mutex::new(HashMap::new()));
    let (enough, mut wait) = tokio::sync::watch::channel(0);
    let senders: Vec<_> = (0..8)
        .map(|lane| tokio::spawn(keep_sending(lane, address, answered.clone(), enough.clone())))
        .collect();
    let waited = tokio::time::timeout(PATIENCE, wait.wait_for(|count| *count >= 500)).await;
    waited.unwrap().unwrap();
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    for sender in senders {
        sender.await.unwrap();
    }

    let answered = answered.lock().unwrap().clone();
    let simulator = Simulator::start(options(&folder)).await.unwrap();
    let logged: HashMap<String, String> = read_log(simulator.log_path())
        .unwrap()
        .map(Result::unwrap)
        .map(|it| (it.sid, it.body))
        .collect();
    assert!(answered.len() >= 500 && logged.len() >= answered.len());
    for (sid, body) in &answered {
        assert_eq!(logged.get(sid), Some(body));
    }
    let (sid, body) = answered.iter().next().unwrap();
    let uri = format!("{}/{sid}.json", MESSAGES.strip_suffix(".json").unwrap());
    let found = send(&simulator, get(&uri)).await.unwrap();
    assert_eq!((found.status, found.json["body"].as_str()), (StatusCode::OK, Some(body.as_str())));
}

/// Sends texts until the other end is gone, and remembers what was answered.
async fn keep_sending(
    lane: u32,
    address: SocketAddr,
    answered: Arc<Mutex<HashMap<String, String>>>,
    count: tokio::sync::watch::Sender<usize>,
) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for number in 0.. {
        let body = format!("text {number} of {lane}");
        let request = post(&[("To", "+99912345678"), ("From", "+99900000001"), ("Body", &body)]);
        let Ok(response) = sender.send_request(request).await else {
            return;
        };
        let Ok(collected) = http_body_util::BodyExt::collect(response.into_body()).await else {
            return;
        };
        let json: serde_json::Value = serde_json::from_slice(&collected.to_bytes()).unwrap();
        answered.lock().unwrap().insert(json["sid"].as_str().unwrap().to_owned(), body);
        count.send_modify(|count| *count += 1);
    }
}

fn log(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("messages.jsonl")
}

fn options(folder: &tempfile::TempDir) -> Options {
    Options::new(log(folder))
}
