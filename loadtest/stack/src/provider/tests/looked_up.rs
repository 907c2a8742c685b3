//! Look-ups: one message, and lists page by page.

use http::StatusCode;
use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use super::Fixture;
use super::client::{MESSAGES, get, send, text};
use crate::provider::{Fates, Latency};

#[tokio::test]
async fn one_message_by_its_reference() {
    let fixture = Fixture::with(|options| {
        options.fates = Fates { undelivered_share: 1.0, ..at_once() };
    })
    .await;
    let sent = text(&fixture.simulator, "+99912345678", "hello", "").await;
    let uri = sent.json["uri"].as_str().unwrap();
    let found = send(&fixture.simulator, get(uri)).await.unwrap();
    assert_eq!(found.status, StatusCode::OK);
    for field in ["sid", "to", "from", "body", "uri", "date_created", "num_segments"] {
        assert_eq!(found.json[field], sent.json[field], "{field}");
    }
    assert_eq!(found.json["status"], "undelivered");
    assert!(found.json["error_code"].as_u64().is_some_and(|code| (30_003..30_009).contains(&code)));
    assert!(found.json["error_message"].is_string());
    assert!(found.json["date_sent"].is_string());

    // One digit off is another message, and there is none.
    let last = if uri.ends_with("0.json") { "1.json" } else { "0.json" };
    let wrong = format!("{}{last}", &uri[..uri.len() - 6]);
    let missing = send(&fixture.simulator, get(&wrong)).await.unwrap();
    assert_eq!((missing.status.as_u16(), &missing.json["code"]), (404, &20404.into()));
}

#[tokio::test]
async fn a_message_on_its_way_is_queued() {
    let fixture = Fixture::with(|options| {
        options.fates.sent_delay = Latency::Constant { ms: 60_000.0 };
    })
    .await;
    let sent = text(&fixture.simulator, "+99912345678", "hello", "").await;
    let found = send(&fixture.simulator, get(sent.json["uri"].as_str().unwrap())).await.unwrap();
    assert_eq!((&found.json["status"], &found.json["date_sent"]), (&"queued".into(), &Value::Null));
}

#[tokio::test]
async fn lists_come_newest_first_and_page_by_page() {
    let fixture = Fixture::new().await;
    for number in 0..25 {
        text(&fixture.simulator, "+99912345678", &format!("text {number}"), "").await;
        text(&fixture.simulator, "+99987654321", &format!("other {number}"), "").await;
    }
    let bodies = pages(&fixture, &format!("{MESSAGES}?To=%2B99912345678&PageSize=10")).await;
    let wanted: Vec<String> = (0..25).rev().map(|number| format!("text {number}")).collect();
    assert_eq!(bodies, wanted);
    assert_eq!(pages(&fixture, &format!("{MESSAGES}?PageSize=7")).await.len(), 50);
    assert_eq!(pages(&fixture, &format!("{MESSAGES}?PageSize=1000")).await[0], "other 24");
    assert_eq!(pages(&fixture, &format!("{MESSAGES}?To=%2B99900000000")).await.len(), 0);
}

#[tokio::test]
async fn lists_are_filtered_by_sender_and_date() {
    let fixture = Fixture::new().await;
    text(&fixture.simulator, "+99912345678", "hello", "").await;
    let now = Timestamp::now();
    let day = |hours: i64| (now + hours.hours()).strftime("%Y-%m-%d").to_string();
    let cases = [
        ("From=%2B99900000001".to_owned(), 1),
        ("From=%2B99900000002".to_owned(), 0),
        (format!("To=%2B99912345678&DateSent%3E={}", day(-24)), 1),
        (format!("To=%2B99912345678&DateSent%3E={}", day(48)), 0),
        (format!("To=%2B99912345678&DateSent%3C={}", day(-48)), 0),
        (format!("DateSent%3E={}", (now - 1.minutes()).strftime("%Y-%m-%dT%H:%M:%SZ")), 1),
        (format!("DateSent%3E={}", (now + 1.minutes()).strftime("%Y-%m-%dT%H:%M:%SZ")), 0),
        (format!("DateSent={}", day(-48)), 0),
    ];
    for (query, count) in cases {
        assert_eq!(pages(&fixture, &format!("{MESSAGES}?{query}")).await.len(), count, "{query}");
    }
    let wrong = send(&fixture.simulator, get(&format!("{MESSAGES}?DateSent=soon"))).await.unwrap();
    assert_eq!((wrong.status.as_u16(), &wrong.json["code"]), (400, &20001.into()));
}

fn at_once() -> Fates {
    Fates { sent_delay: Latency::NONE, final_delay: Latency::NONE, ..Fates::default() }
}

/// Follows the links to the end and returns all texts.
async fn pages(fixture: &Fixture, first: &str) -> Vec<String> {
    let mut bodies = Vec::new();
    let mut next = Some(first.to_owned());
    let mut number = 0;
    while let Some(uri) = next {
        let page = send(&fixture.simulator, get(&uri)).await.unwrap();
        assert_eq!(page.status, StatusCode::OK);
        assert_eq!(page.json["page"], number);
        assert_eq!(page.json["start"], bodies.len());
        let messages = page.json["messages"].as_array().unwrap();
        bodies.extend(messages.iter().map(|it| it["body"].as_str().unwrap().to_owned()));
        next = page.json["next_page_uri"].as_str().map(str::to_owned);
        number += 1;
    }
    bodies
}
