//! What a client changes of a text afterwards, and what else it may ask of one.

use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::Value;

use super::Fixture;
use super::client::{Answered, MESSAGES, authorization, get, post, send, text};
use crate::provider::{Fates, Latency};

/// A simulator whose texts have come to their end as soon as they are looked at.
async fn at_once() -> Fixture {
    Fixture::with(|options| {
        options.fates =
            Fates { sent_delay: Latency::NONE, final_delay: Latency::NONE, ..Fates::default() };
    })
    .await
}

/// A text's own address.
async fn sent(fixture: &Fixture, body: &str) -> String {
    let sent = text(&fixture.simulator, "+99912345678", body, "").await;
    sent.json["uri"].as_str().unwrap().to_owned()
}

async fn ask(fixture: &Fixture, method: Method, uri: &str) -> Answered {
    let mut request = get(uri);
    *request.method_mut() = method;
    send(&fixture.simulator, request).await.unwrap()
}

async fn change(fixture: &Fixture, uri: &str, form: &'static str) -> Answered {
    let request = Request::post(uri)
        .header("host", "127.0.0.1")
        .header("authorization", authorization())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::from(form))
        .unwrap();
    send(&fixture.simulator, request).await.unwrap()
}

fn refused(answered: &Answered) -> (u16, u64) {
    (answered.status.as_u16(), answered.json["code"].as_u64().unwrap_or_default())
}

#[tokio::test]
async fn an_empty_body_takes_the_words_out() {
    let fixture = at_once().await;
    let uri = sent(&fixture, &"long ".repeat(60)).await;
    let unchanged = change(&fixture, &uri, "").await;
    assert_eq!((unchanged.status, &unchanged.json["num_segments"]), (StatusCode::OK, &"2".into()));
    assert_ne!(unchanged.json["body"], "");
    let redacted = change(&fixture, &uri, "Body=").await;
    assert_eq!((redacted.status, &redacted.json["body"]), (StatusCode::OK, &"".into()));
    let found = send(&fixture.simulator, get(&uri)).await.unwrap().json;
    assert_eq!((&found["body"], &found["num_segments"]), (&"".into(), &"2".into()));
    let listed = send(&fixture.simulator, get(MESSAGES)).await.unwrap().json;
    assert_eq!(listed["messages"][0]["body"], "");
    assert!(fixture.log()[0].body.starts_with("long"), "the oracle keeps what was sent");

    assert_eq!(refused(&change(&fixture, &uri, "Body=other").await), (400, 20001));
    assert_eq!(refused(&change(&fixture, &uri, "Status=sent").await), (400, 20001));
    assert_eq!(refused(&change(&fixture, &uri, "Status=canceled").await), (409, 30409));
}

#[tokio::test]
async fn what_is_deleted_is_found_no_more() {
    let fixture = at_once().await;
    let (uri, kept) = (sent(&fixture, "hello").await, sent(&fixture, "other").await);
    let deleted = ask(&fixture, Method::DELETE, &uri).await;
    assert_eq!((deleted.status, deleted.json), (StatusCode::NO_CONTENT, Value::Null));
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(refused(&ask(&fixture, method, &uri).await), (404, 20404));
    }
    assert_eq!(refused(&change(&fixture, &uri, "Body=").await), (404, 20404));
    let listed = send(&fixture.simulator, get(MESSAGES)).await.unwrap().json;
    let listed: Vec<&Value> =
        listed["messages"].as_array().unwrap().iter().map(|message| &message["uri"]).collect();
    assert_eq!(listed, [&kept]);
    assert_eq!(fixture.log().len(), 2);
}

#[tokio::test]
async fn what_is_under_way_is_not_changed() {
    let fixture = Fixture::with(|options| {
        options.fates.sent_delay = Latency::Constant { ms: 60_000.0 };
    })
    .await;
    let uri = sent(&fixture, "hello").await;
    assert_eq!(refused(&ask(&fixture, Method::DELETE, &uri).await), (409, 20009));
    assert_eq!(refused(&change(&fixture, &uri, "Body=").await), (409, 20009));
    let found = send(&fixture.simulator, get(&uri)).await.unwrap().json;
    assert_eq!(found["body"], "hello");
}

#[tokio::test]
async fn heads_and_lists_of_media() {
    let fixture = at_once().await;
    let uri = sent(&fixture, "hello").await;
    for path in [uri.as_str(), MESSAGES] {
        let head = ask(&fixture, Method::HEAD, path).await;
        assert_eq!((head.status, &head.json), (StatusCode::OK, &Value::Null));
        assert!(head.headers["content-length"].to_str().unwrap().parse::<u64>().unwrap() > 100);
    }
    let found = send(&fixture.simulator, get(&uri)).await.unwrap().json;
    let media = found["subresource_uris"]["media"].as_str().unwrap();
    let listed = send(&fixture.simulator, get(media)).await.unwrap();
    assert_eq!(
        (listed.status, &listed.json["media_list"]),
        (StatusCode::OK, &Value::Array(vec![]))
    );
    assert_eq!(listed.json["next_page_uri"], Value::Null);
    assert_eq!(refused(&ask(&fixture, Method::DELETE, media).await), (405, 20004));
    let mut form = post(&[]);
    *form.uri_mut() = media.parse().unwrap();
    assert_eq!(refused(&send(&fixture.simulator, form).await.unwrap()), (405, 20004));
    ask(&fixture, Method::DELETE, &uri).await;
    assert_eq!(refused(&ask(&fixture, Method::GET, media).await), (404, 20404));
}
