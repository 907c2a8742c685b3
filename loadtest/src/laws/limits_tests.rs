//! The probes against a small server that keeps, or breaks, what is promised.

#![allow(clippy::unwrap_used)]

use tokio::net::TcpListener;

use super::*;

const FULL: Raw = Raw { status: Some(503), retry_after: true };

/// All that is probed but the time for a head, answered as promised.
fn as_promised() -> Vec<Probe> {
    let single = |status| Raw { status: Some(status), retry_after: false };
    let limits = [
        Limit::BodyBytes,
        Limit::RequestsInFlight,
        Limit::PublicConnections,
        Limit::Streams,
        Limit::AdminConnections,
    ];
    let singles = [413, 413, 431].map(|status| Probe::single("too large", status, single(status)));
    let fulls = limits.map(|limit| Probe::full("full", limit, FULL));
    singles.into_iter().chain(fulls).collect()
}

/// With the case of the slow heads, which is judged by itself.
fn judged(probes: &[Probe], reached: impl Fn(Limit) -> f64) -> Check {
    let mut check = judge(probes, reached);
    check.kept();
    check
}

#[test]
fn a_bound_that_was_reached_must_be_answered_as_promised() {
    assert!(judged(&as_promised(), |_| 1.0).passed());
    for (at, probe) in as_promised().iter().enumerate() {
        let wrong = [Some(200), Some(429), Some(500), None].map(|status| Raw { status, ..FULL });
        let unsaid = Raw { retry_after: false, ..FULL };
        for got in wrong.into_iter().chain([unsaid]) {
            let mut probes = as_promised();
            probes[at].got = got;
            let check = judged(&probes, |_| 1.0);
            assert!(!check.passed() && check.violations == 1, "{probe:?}: {check:?}");
        }
    }
}

#[test]
fn a_bound_that_the_service_does_not_count_as_reached_is_no_case() {
    for full in as_promised().iter().filter_map(|probe| probe.limit) {
        let check = judged(&as_promised(), |limit| if limit == full { 0.0 } else { 1.0 });
        assert!(!check.passed(), "{full:?}: {check:?}");
        assert_eq!((check.cases, check.promised, check.violations), (8, 9, 0));
        assert!(check.examples[0].contains("counts none as reached"), "{check:?}");
    }
    let check = judged(&as_promised()[1..], |_| 1.0);
    assert!(!check.passed(), "one was not tried");
}

#[test]
fn a_refusal_of_the_day_without_a_time_breaks_it() {
    let none = refusals_say_when_to_come_back(Refusals::default());
    assert!(none.passed() && none.cases == 0);
    let said = refusals_say_when_to_come_back(Refusals { said: 3, unsaid: 0 });
    assert!(said.passed() && said.cases == 3);
    let unsaid = refusals_say_when_to_come_back(Refusals { said: 3, unsaid: 1 });
    assert!(!unsaid.passed() && unsaid.cases == 4 && !unsaid.examples.is_empty(), "{unsaid:?}");
}

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
