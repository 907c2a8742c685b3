//! The probes against a small server that keeps, or breaks, what is promised.

#![allow(clippy::unwrap_used)]

use tokio::net::TcpListener;

use super::*;

#[test]
fn an_answers_head_is_read() {
    let text = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\nretry-after: 9";
    assert_eq!(parse_head(text), Raw { status: Some(503), retry_after: true });
    let late = "HTTP/1.1 503 Service Unavailable\r\n\r\nretry-after: 9";
    assert_eq!(parse_head(late), Raw { status: Some(503), retry_after: false });
    assert_eq!(parse_head(""), Raw::default());
    assert_eq!(parse_head("HTTP/1.1 x"), Raw::default());
}

/// Holds `room` connections and turns the others away, saying so or not.
async fn listener(room: usize, answer: &'static str) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = socket.accept().await {
            if held.len() < room {
                held.push(stream);
            } else {
                let _gone = stream.write_all(answer.as_bytes()).await;
            }
        }
    });
    address
}

#[tokio::test]
async fn a_full_listener_must_say_when_to_come_back() {
    for (answer, retry_after) in [
        ("HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\r\n", true),
        ("HTTP/1.1 503 Service Unavailable\r\n\r\n", false),
    ] {
        let address = listener(100, answer).await;
        let got = all_connections(&address, 100).await;
        assert_eq!(got, Raw { status: Some(503), retry_after });
    }
}

#[tokio::test]
async fn slow_heads_that_stay_open_are_noticed() {
    let address = listener(100, "").await;
    let slow = SlowHeads::open(&address).await;
    assert_eq!(slow.closed_within(Duration::from_millis(200)).await, 0);
    let address = listener(0, "").await;
    let slow = SlowHeads::open(&address).await;
    assert_eq!(slow.closed_within(Duration::from_secs(5)).await, SLOW);
}
