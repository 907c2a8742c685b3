//! How Twilio's words are read.

use super::*;
use crate::provider::outcome::bare;
use contract::DeliveryOutcome;

fn lost(started_at: &str) -> Lost {
    Lost {
        outgoing: Outgoing {
            practice_id: 1,
            message_id: 2,
            local_day: "2026-05-04".parse().unwrap(),
            rule_id: 1,
            attempt_no: 1,
            to: "+99911111111".parse().unwrap(),
            from: "+99922222222".parse().unwrap(),
            body: "See you tomorrow".into(),
            trace: crate::obs::exemplar::TraceId::from_random(1),
        },
        started_at: started_at.parse().unwrap(),
    }
}

fn page(rows: &[(&str, &str, &str)]) -> Page {
    let messages: Vec<_> = rows
        .iter()
        .map(|(sid, body, created)| {
            serde_json::json!({
                "sid": sid, "body": body, "to": "+99911111111", "from": "+99922222222",
                "direction": "outbound-api", "date_created": created, "price": null,
            })
        })
        .collect();
    serde_json::from_value(serde_json::json!({ "messages": messages, "page": 0 })).unwrap()
}

#[test]
fn a_lost_text_is_found_by_its_words_and_its_time() {
    let lost = lost("2026-05-04T09:00:03.500Z");
    let page = page(&[
        ("SM4", "See you tomorrow", "Mon, 04 May 2026 09:00:05 +0000"),
        ("SM3", "See you tomorrow!", "Mon, 04 May 2026 09:00:04 +0000"),
        // Our clock may be minutes ahead.
        ("SM2", "See you tomorrow", "Mon, 04 May 2026 08:55:04 +0000"),
        ("SM1", "See you tomorrow", "Mon, 04 May 2026 08:55:03 +0000"),
    ]);
    let Look::Accepted(found) = read_page(page, &lost) else { panic!("it is there") };
    let refs: Vec<_> = found.iter().map(|found| found.provider_ref.as_str()).collect();
    assert_eq!(refs, ["SM2", "SM4"]);
}

#[test]
fn another_persons_text_is_not_it() {
    let mut page = page(&[("SM2", "See you tomorrow", "Mon, 04 May 2026 09:00:03 +0000")]);
    page.messages[0].to = Some("+99933333333".into());
    assert_eq!(read_page(page, &lost("2026-05-04T09:00:03Z")), Look::NotFound);
}

#[test]
fn answers_are_read() {
    let message = br#"{"sid":"SM1","status":"queued","error_code":null}"#;
    assert_eq!(said(message).provider_ref.as_deref(), Some("SM1"));
    assert!(!said(message).is_refusal);
    let error =
        br#"{"code":21610,"message":"Attempt to send to unsubscribed recipient","status":400}"#;
    assert_eq!(
        said(error),
        Said { provider_ref: None, error_code: Some(21_610), is_refusal: true }
    );
    assert_eq!(said(b"<html>"), Said::default());
    let answer = judge(
        Exchange::Answered { status: 400, retry_after: None, body: Bytes::from_static(error) },
        said,
    );
    assert_eq!(
        answer,
        Answer {
            http_status: Some(400),
            error_code: Some(21_610),
            is_opted_out: true,
            ..bare(DeliveryOutcome::Failed)
        }
    );
}

fn fields(text: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

#[test]
fn callbacks_are_read() {
    let delivered = status(&fields("MessageSid=SM1&MessageStatus=delivered&To=%2B1")).unwrap();
    assert_eq!(delivered.receipt, Some(Receipt::Delivered));
    let failed = status(&fields("SmsSid=SM1&SmsStatus=undelivered&ErrorCode=30003")).unwrap();
    assert_eq!((failed.receipt, failed.error_code), (Some(Receipt::Undelivered), Some(30_003)));
    let queued = status(&fields("MessageSid=SM1&MessageStatus=queued")).unwrap();
    assert_eq!(queued.receipt, None);
    assert!(status(&fields("MessageStatus=delivered")).is_err());
    assert!(status(&fields("MessageSid=SM1")).is_err());

    let text =
        inbound(&fields("MessageSid=SM9&From=%2B99911111111&To=%2B99922222222&Body=Yes+please"));
    assert_eq!(text.unwrap().body, "Yes please");
    assert!(inbound(&fields("MessageSid=SM9&From=1&To=%2B99922222222&Body=x")).is_err());
}
