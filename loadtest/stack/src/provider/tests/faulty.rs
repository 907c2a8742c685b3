//! Faults: each does what it says, to the texts that the seed names.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::Instant;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Fixture;
use super::client::{FROM, MESSAGES, get, post, send, text};
use crate::provider::{Fault, Faults, Latency, LogEntry};

async fn with(faults: Faults) -> Fixture {
    Fixture::with(|options| options.faults = faults).await
}

/// Sends a text on a bare socket and returns what comes of it: how much can be read, or how the
/// connection ends, which may be before it is open.
async fn bare(fixture: &Fixture) -> std::io::Result<usize> {
    let mut stream = TcpStream::connect(fixture.simulator.address()).await?;
    stream.write_all(&bare_request().await).await?;
    stream.read(&mut [0; 4096]).await
}

async fn bare_request() -> Vec<u8> {
    let request = post(&[("To", "+99912345678"), ("From", FROM), ("Body", "hello")]);
    let (head, body) = request.into_parts();
    let body: Bytes = body.collect().await.unwrap().to_bytes();
    let authorization = head.headers["authorization"].to_str().unwrap();
    let mut bytes = format!(
        "POST {MESSAGES} HTTP/1.1\r\nhost: x\r\nauthorization: {authorization}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(&body);
    bytes
}

#[tokio::test]
async fn accept_then_drop() {
    let fixture = with(Faults { accept_then_drop_share: 1.0, ..Faults::none() }).await;
    let read = bare(&fixture).await;
    assert_eq!(read.unwrap(), 0, "the connection ends without a byte");
    let state = fixture.wait_for(|state| state.dropped == 1).await;
    assert_eq!((state.accepted, state.answered.len()), (1, 0));
    let [entry] = fixture.log().try_into().unwrap();
    assert_eq!(entry.fault, Some(Fault::AcceptThenDrop));

    let found = send(&fixture.simulator, get(&format!("{MESSAGES}?To=%2B99912345678"))).await;
    assert_eq!(found.unwrap().json["messages"][0]["sid"], entry.sid.as_str());
}

#[tokio::test]
async fn hang() {
    let fixture = with(Faults { hang_share: 1.0, ..Faults::none() }).await;
    let mut stream = TcpStream::connect(fixture.simulator.address()).await.unwrap();
    stream.write_all(&bare_request().await).await.unwrap();
    fixture.wait_for(|state| state.hanging == 1).await;
    assert_eq!(stream.try_read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(stream);
    let state = fixture.wait_for(|state| state.hanging == 0 && state.connections == 0).await;
    assert_eq!((state.hung, state.accepted), (1, 0));
    assert!(fixture.log().is_empty());
}

#[tokio::test]
async fn reset() {
    let fixture = with(Faults { reset_share: 1.0, ..Faults::none() }).await;
    let read = bare(&fixture).await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let state = fixture.wait_for(|state| state.reset == 1).await;
    assert_eq!(state.accepted, 0);
    assert!(fixture.log().is_empty());
}

#[tokio::test]
async fn reset_before_anything_is_read() {
    let fixture = with(Faults { reset_connection_share: 1.0, ..Faults::none() }).await;
    let read = bare(&fixture).await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
    fixture.wait_for(|state| state.connections_reset == 1).await;
}

#[tokio::test]
async fn server_errors() {
    let fixture = with(Faults { server_error_share: 1.0, ..Faults::none() }).await;
    for number in 0..20 {
        let answered = text(&fixture.simulator, &format!("+999123456{number:02}"), "hi", "").await;
        match answered.status.as_u16() {
            500 => assert_eq!(answered.json["code"], 20500),
            503 => {
                assert_eq!(answered.json["code"], 20503);
                assert_eq!(answered.headers["retry-after"], "1");
            }
            other => panic!("{other}"),
        }
    }
    let state = fixture.simulator.state();
    assert!(state.answered_with(500) > 0 && state.answered_with(503) > 0, "{state:?}");
    assert_eq!((state.accepted, fixture.log().len()), (0, 0));
}

#[tokio::test]
async fn too_many_requests() {
    let faults = Faults { too_many_requests_share: 1.0, retry_after_seconds: 7, ..Faults::none() };
    let fixture = with(faults).await;
    let answered = text(&fixture.simulator, "+99912345678", "hello", "").await;
    assert_eq!(answered.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!((&answered.json["code"], &answered.json["status"]), (&20429.into(), &429.into()));
    assert_eq!(answered.headers["retry-after"], "7");
    assert!(fixture.log().is_empty());
}

#[tokio::test]
async fn latency_comes_after_acceptance() {
    let fixture = with(Faults { latency: Latency::Constant { ms: 300.0 }, ..Faults::none() }).await;
    let start = Instant::now();
    let answer = text(&fixture.simulator, "+99912345678", "hello", "");
    let (answered, ()) = tokio::join!(answer, async {
        fixture.wait_for(|state| state.accepted == 1).await;
        assert_eq!(fixture.log().len(), 1, "logged before it is answered");
        assert!(fixture.simulator.state().answered.is_empty());
    });
    assert_eq!(answered.status, StatusCode::CREATED);
    assert!(start.elapsed().as_millis() >= 300, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_retry_can_succeed() {
    let fixture = with(Faults { server_error_share: 0.5, ..Faults::none() }).await;
    for number in 0..10 {
        let to = format!("+9991234567{number}");
        let mut attempts = 1;
        while text(&fixture.simulator, &to, "hello", "").await.status != StatusCode::CREATED {
            attempts += 1;
            assert!(attempts < 30);
        }
        assert_eq!(fixture.log().last().unwrap().attempt, attempts);
    }
}

#[tokio::test]
async fn the_seed_decides_and_not_the_order() {
    let faults = Faults {
        server_error_share: 0.3,
        accept_then_drop_share: 0.2,
        out_of_order_callback_share: 0.5,
        ..Faults::none()
    };
    let mut outcomes = Vec::new();
    for backwards in [false, true] {
        let fixture = with(faults.clone()).await;
        let mut numbers: Vec<u32> = (0..60).collect();
        if backwards {
            numbers.reverse();
        }
        for number in numbers {
            let fields =
                [("To", &*format!("+999123456{number:02}")), ("From", FROM), ("Body", "hello")];
            let _dropped = send(&fixture.simulator, post(&fields)).await;
        }
        outcomes.push(by_recipient(fixture.log()));
    }
    assert_eq!(outcomes[0], outcomes[1]);
    assert!((20..60).contains(&outcomes[0].len()));
}

fn by_recipient(log: Vec<LogEntry>) -> BTreeMap<String, String> {
    log.into_iter().map(|it| (it.to, format!("{:?} {:?}", it.fault, it.plan))).collect()
}
