//! Sending: the wire form of Twilio's API, its errors, and the bounds.

use expect_test::expect;
use http::{Request, StatusCode};
use http_body_util::Full;
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Fixture;
use super::client::{Client, FROM, MESSAGES, authorization, get, post, send, text};
use crate::provider::Options;

#[tokio::test]
async fn the_answer_to_a_client_library() {
    let fixture = Fixture::new().await;
    // Byte for byte what twilio-python 9.13 sends, but for its user agent.
    let body = "To=%2B99912345678&From=%2B99900000001&\
                Body=Hello+%26+gr%C3%BC%C3%9Fe&StatusCallback=http%3A%2F%2F127.0.0.1%3A9%2Fcb%2F1";
    let request = format!(
        "POST {MESSAGES} HTTP/1.1\r\nHost: api.twilio.com\r\nUser-Agent: twilio-python/9.13.0\r\n\
         Accept-Encoding: gzip, deflate\r\nAccept: application/json\r\nConnection: keep-alive\r\n\
         X-Twilio-Client: python-9.13.0\r\nAccept-Charset: utf-8\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
         Authorization: {}\r\n\r\n{body}",
        body.len(),
        authorization(),
    );
    let mut stream = TcpStream::connect(fixture.simulator.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 8192];
    let length = stream.read(&mut answer).await.unwrap();
    let answer = std::str::from_utf8(&answer[..length]).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 201 Created\r\n"), "{head}");
    assert!(head.contains("content-type: application/json; charset=utf-8"), "{head}");

    let mut resource: Value = serde_json::from_str(body).unwrap();
    let sid = resource["sid"].as_str().unwrap().to_owned();
    assert!(crate::provider::options::is_sid(&sid, "SM"), "{sid}");
    for field in ["date_created", "date_updated"] {
        let date = resource[field].as_str().unwrap();
        assert!(date.ends_with(" +0000"), "{date}");
        let parsed = jiff::fmt::rfc2822::parse(date).unwrap().timestamp();
        assert!(Timestamp::now().duration_since(parsed).as_secs() < 60, "{date}");
        resource[field] = "(RFC 2822)".into();
    }
    let shown = serde_json::to_string_pretty(&resource)
        .unwrap()
        .replace(&sid, "(SID)")
        .replace(Options::ACCOUNT_SID, "(ACCOUNT)");
    expect![[r#"
        {
          "account_sid": "(ACCOUNT)",
          "api_version": "2010-04-01",
          "body": "Hello & grüße",
          "date_created": "(RFC 2822)",
          "date_sent": null,
          "date_updated": "(RFC 2822)",
          "direction": "outbound-api",
          "error_code": null,
          "error_message": null,
          "from": "+99900000001",
          "messaging_service_sid": null,
          "num_media": "0",
          "num_segments": "1",
          "price": null,
          "price_unit": "USD",
          "sid": "(SID)",
          "status": "queued",
          "subresource_uris": {
            "media": "/2010-04-01/Accounts/(ACCOUNT)/Messages/(SID)/Media.json"
          },
          "to": "+99912345678",
          "uri": "/2010-04-01/Accounts/(ACCOUNT)/Messages/(SID).json"
        }"#]]
    .assert_eq(&shown);

    let [entry] = fixture.log().try_into().unwrap();
    assert_eq!((entry.seq, entry.sid.as_str(), entry.attempt), (1, sid.as_str(), 1));
    assert_eq!((entry.to.as_str(), entry.from.as_deref()), ("+99912345678", Some(FROM)));
    assert_eq!(entry.body, "Hello & grüße");
    assert_eq!(entry.callback.as_deref(), Some("http://127.0.0.1:9/cb/1"));
    assert_eq!(entry.fault, None);
    assert!(entry.t_ns <= crate::provider::monotonic_ns());
}

#[tokio::test]
async fn a_messaging_service_in_place_of_a_sender() {
    let fixture = Fixture::new().await;
    let service = "MG0123456789abcdef0123456789abcdef";
    let fields = [("To", "+99912345678"), ("MessagingServiceSid", service), ("Body", "hello")];
    let answered = send(&fixture.simulator, post(&fields)).await.unwrap();
    assert_eq!(answered.status, StatusCode::CREATED);
    assert_eq!(answered.json["status"], "accepted");
    assert_eq!(answered.json["from"], Value::Null);
    assert_eq!(answered.json["num_segments"], "0");
    assert_eq!(answered.json["messaging_service_sid"], service);
    assert_eq!(fixture.log()[0].messaging_service_sid.as_deref(), Some(service));
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_in_twilios_codes() {
    let fixture = Fixture::new().await;
    let (to, body) = (("To", "+99912345678"), ("Body", "hello"));
    let long = "ä".repeat(1_601);
    let from = ("From", FROM);
    let cases: [(&[(&str, &str)], u64); 10] = [
        (&[from, body], 21604),
        (&[("To", "+12"), from, body], 21211),
        (&[("To", "0999123456"), from, body], 21211),
        (&[to, body], 21603),
        (&[to, ("From", "+0"), body], 21212),
        (&[to, ("MessagingServiceSid", "MG1"), body], 21701),
        (&[to, from], 21602),
        (&[to, from, ("Body", &long)], 21617),
        (&[to, from, body, ("StatusCallback", "http://192.0.2.1/cb")], 21609),
        (&[to, from, body, ("StatusCallback", "nonsense")], 21609),
    ];
    for (fields, code) in cases {
        let answered = send(&fixture.simulator, post(fields)).await.unwrap();
        assert_eq!(answered.status, StatusCode::BAD_REQUEST, "{code}");
        assert_eq!(answered.json["code"], code, "{}", answered.json);
        assert_eq!(answered.json["status"], 400);
        let more = answered.json["more_info"].as_str().unwrap();
        assert_eq!(more, format!("https://www.twilio.com/docs/errors/{code}"));
        assert!(!answered.json["message"].as_str().unwrap().is_empty());
    }
    assert!(fixture.log().is_empty());
    assert_eq!(fixture.simulator.state().answered_with(400), 10);
}

#[tokio::test]
async fn who_is_not_the_account_is_sent_away() {
    let fixture = Fixture::new().await;
    for wrong in ["", "Basic bm86Ym9keQ=="] {
        let mut request = get(MESSAGES);
        request.headers_mut().insert("authorization", wrong.parse().unwrap());
        let answered = send(&fixture.simulator, request).await.unwrap();
        assert_eq!(answered.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answered.json["code"], 20003);
        assert!(answered.headers["www-authenticate"].to_str().unwrap().starts_with("Basic"));
    }
    let missing = [
        "/2010-04-01/Accounts/AC00000000000000000000000000000998/Messages.json",
        "/2010-04-01/Accounts/AC00000000000000000000000000000999/Calls.json",
        "/",
    ];
    for path in missing {
        let answered = send(&fixture.simulator, get(path)).await.unwrap();
        assert_eq!((answered.status.as_u16(), &answered.json["code"]), (404, &20404.into()));
    }
    let mut request = post(&[]);
    *request.method_mut() = http::Method::DELETE;
    let answered = send(&fixture.simulator, request).await.unwrap();
    assert_eq!((answered.status.as_u16(), &answered.json["code"]), (405, &20004.into()));
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let fixture = Fixture::new().await;
    let mut client = Client::connect(&fixture.simulator).await;
    for number in 0..20 {
        let to = format!("+999123400{number:02}");
        let fields = [("To", to.as_str()), ("From", FROM), ("Body", "hello")];
        assert_eq!(client.send(post(&fields)).await.unwrap().status, StatusCode::CREATED);
    }
    assert_eq!(fixture.simulator.state().connections, 1);
    assert_eq!(fixture.simulator.state().accepted, 20);
}

#[tokio::test]
async fn everything_is_bounded() {
    let fixture = Fixture::with(|options| {
        options.limits.connections_max = 1;
        options.limits.messages_max = 2;
    })
    .await;
    let simulator = &fixture.simulator;
    let large = Request::post(MESSAGES)
        .header("host", "127.0.0.1")
        .header("authorization", authorization())
        .body(Full::from("a".repeat(64 * 1024 + 1)))
        .unwrap();
    assert_eq!(send(simulator, large).await.unwrap().status, StatusCode::PAYLOAD_TOO_LARGE);

    for (number, status) in [201, 201, 503].into_iter().enumerate() {
        let answered = text(simulator, &format!("+9991234567{number}"), "hello", "").await;
        assert_eq!(answered.status.as_u16(), status);
        assert_eq!(answered.headers.contains_key("retry-after"), status == 503);
    }

    // While the only connection is taken, another one waits.
    fixture.wait_for(|state| state.connections == 0).await;
    let first = Client::connect(simulator).await;
    fixture.wait_for(|state| state.connections == 1).await;
    let mut second = Client::connect(simulator).await;
    let mut waiting = Box::pin(second.send(get(MESSAGES)));
    tokio::select! {
        biased;
        answered = &mut waiting => panic!("answered beside the first: {answered:?}"),
        () = tokio::task::yield_now() => {}
    }
    drop(first);
    assert_eq!(waiting.await.unwrap().status, StatusCode::OK);
}
