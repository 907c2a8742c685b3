//! Twilio's list of the texts that it took (twilio.com/docs/messaging/api/message-resource,
//! "Read multiple Message resources"), a page at a time.
//!
//! Never here: looking for one text (`find` beside it).

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::super::client::Exchange;
use super::super::{Listed, Listing, Span};
use super::Twilio;
use crate::obs::exemplar::TraceId;

/// A resource is about 1.2 kB, and an answer has a bound.
const PAGE_SIZE: u32 = 100;
/// Twilio's list goes by when a text was sent, which is after it was taken: by no more than its
/// validity period at most, but a text that waits so long has been settled by its callback.
const SENT_AFTER_MAX: SignedDuration = SignedDuration::from_hours(10);

/// A page as it comes.
#[derive(Deserialize)]
struct Page {
    messages: Vec<Resource>,
    next_page_uri: Option<String>,
}

#[derive(Deserialize)]
struct Resource {
    sid: String,
    from: Option<String>,
    to: Option<String>,
    direction: Option<String>,
    date_created: Option<String>,
}

impl Twilio {
    /// The page of a list that an earlier page names, or its first one.
    pub(super) async fn page(&self, span: &Span, next: Option<&str>) -> Listing {
        let url = match next {
            Some(next) => format!("{}{next}", self.base),
            None => format!("{}?{}", self.messages, first(span)),
        };
        let trace = TraceId::from_random(rand::random());
        let Some(request) = self.request(Method::GET, &url, String::new()) else {
            return Listing::Failed("the next page's address is no address".into());
        };
        match self.client.exchange(request, trace).await {
            Exchange::Answered { status: 200, body, .. } => match serde_json::from_slice(&body) {
                Ok(page) => read(page, span, self.messages.trim_start_matches(&self.base)),
                Err(error) => Listing::Failed(format!("its list can't be read: {error}")),
            },
            Exchange::Answered { status, .. } => {
                Listing::Failed(format!("asked for its list it answered {status}"))
            }
            Exchange::NotConnected => Listing::Failed("it can't be reached".into()),
            Exchange::Lost => Listing::Failed("its answer was lost, or was too long".into()),
        }
    }
}

impl Twilio {
    /// Whether it has a text by this name, also one that still waits and so is on no list.
    pub(super) async fn has_it(&self, provider_ref: &str) -> Option<bool> {
        let of_texts = self.messages.strip_suffix(".json")?;
        let name: String = form_urlencoded::byte_serialize(provider_ref.as_bytes()).collect();
        let url = format!("{of_texts}/{name}.json");
        let trace = TraceId::from_random(rand::random());
        match self.client.exchange(self.request(Method::GET, &url, String::new())?, trace).await {
            Exchange::Answered { status: 200, .. } => Some(true),
            Exchange::Answered { status: 404, .. } => Some(false),
            Exchange::Answered { .. } | Exchange::NotConnected | Exchange::Lost => None,
        }
    }
}

fn first(span: &Span) -> String {
    let until = span.until.saturating_add(SENT_AFTER_MAX).unwrap_or(span.until);
    let instant = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    form_urlencoded::Serializer::new(String::with_capacity(128))
        .append_pair("DateSent>", &instant(span.since))
        .append_pair("DateSent<", &instant(until))
        .append_pair("PageSize", &PAGE_SIZE.to_string())
        .finish()
}

/// What a page shows of the span; `path` is where every page's address begins.
fn read(page: Page, span: &Span, path: &str) -> Listing {
    let texts = page.messages.into_iter().filter_map(|text| {
        let accepted_at = jiff::fmt::rfc2822::parse(text.date_created.as_deref()?).ok()?;
        let accepted_at = accepted_at.timestamp();
        // Calls and answers that Twilio makes up are nobody's promise.
        let is_a_text_of_ours = text.direction.as_deref() == Some("outbound-api");
        let is_in = (span.since..span.until).contains(&accepted_at) && is_a_text_of_ours;
        let phone = |number: Option<String>| number?.parse().ok();
        let (from, to) = (phone(text.from), phone(text.to));
        is_in.then_some(Listed { provider_ref: text.sid, from, to, accepted_at })
    });
    let texts = texts.collect();
    match page.next_page_uri {
        // Credentials go wherever this leads.
        Some(next) if !next.starts_with(path) => {
            Listing::Failed("the next page's address is another one's".into())
        }
        next => Listing::Page { texts, next },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PATH: &str = "/2010-04-01/Accounts/AC1/Messages.json";

    fn span() -> Span {
        Span {
            since: "2026-05-04T00:00:00Z".parse().unwrap(),
            until: "2026-05-05T00:00:00Z".parse().unwrap(),
        }
    }

    fn page(next: Option<&str>) -> Page {
        let text = |sid: &str, direction: &str, created: &str| {
            json!({
                "sid": sid, "from": "+99922222222", "to": "+99911111111",
                "direction": direction, "date_created": created, "body": "See you",
            })
        };
        let messages = [
            text("SM5", "outbound-api", "Tue, 05 May 2026 00:00:00 +0000"),
            text("SM4", "outbound-api", "Mon, 04 May 2026 23:59:59 +0000"),
            text("SM3", "inbound", "Mon, 04 May 2026 12:00:00 +0000"),
            text("SM0", "outbound-reply", "Mon, 04 May 2026 12:00:00 +0000"),
            text("SM2", "outbound-api", "Mon, 04 May 2026 00:00:00 +0000"),
            text("SM1", "outbound-api", "Sun, 03 May 2026 23:59:59 +0000"),
        ];
        serde_json::from_value(json!({ "messages": messages, "next_page_uri": next })).unwrap()
    }

    #[test]
    fn what_was_taken_in_the_span_is_listed() {
        let next = format!("{PATH}?Page=1");
        let Listing::Page { texts, next: then } = read(page(Some(&next)), &span(), PATH) else {
            panic!("it is a page")
        };
        let refs: Vec<_> = texts.iter().map(|text| text.provider_ref.as_str()).collect();
        assert_eq!((refs, then), (vec!["SM4", "SM2"], Some(next)));
        let expected = Listed {
            provider_ref: "SM2".into(),
            from: Some("+99922222222".parse().unwrap()),
            to: Some("+99911111111".parse().unwrap()),
            accepted_at: span().since,
        };
        assert_eq!(texts[1], expected);
    }

    #[test]
    fn no_other_server_gets_the_credentials() {
        for next in ["https://example.com/x", "@example.com/", "/2010-04-01/Accounts/AC2/x"] {
            let read = read(page(Some(next)), &span(), PATH);
            assert!(matches!(read, Listing::Failed(_)), "{next}");
        }
    }

    #[test]
    fn a_span_is_asked_for() {
        let asked = "DateSent%3E=2026-05-04T00%3A00%3A00Z&DateSent%3C=2026-05-05T10%3A00%3A00Z\
                     &PageSize=100";
        assert_eq!(first(&span()), asked);
    }
}
