//! A service of one's own that takes texts as signed JSON. Each text has an idempotency key, the
//! same for every try, so that a lost answer is resolved by asking again with the same key.

use aws_lc_rs::{digest, hmac};
use bytes::Bytes;
use contract::DeliveryOutcome;
use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE};
use http_body_util::Full;
use serde::{Deserialize, Serialize};

use super::callback::Signer;
use super::client::{Client, Exchange};
use super::outcome::{Said, judge};
use super::signature::{hex, json_is_right, of_json};
use super::twilio::receipt;
use super::{
    Answer, Api, Boxed, Callback, CallbackError, Found, InboundText, Listing, Look, Lost, Outgoing,
    Span, StatusCallback,
};
use crate::config::Config;

/// The header of both directions' signatures.
const SIGNATURE: &str = "x-punctual-signature";

/// A webhook's client.
pub(super) struct Webhook {
    client: Client,
    signer: Signer,
    url: String,
    key: hmac::Key,
}

/// What is posted.
#[derive(Serialize)]
struct Message<'a> {
    to: String,
    from: String,
    body: &'a str,
    idempotency_key: String,
    callback: String,
}

/// What an answer says, of a message or of an error.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Status {
    id: String,
    status: String,
    #[serde(default)]
    error_code: Option<i32>,
}

#[derive(Deserialize)]
struct Inbound {
    id: String,
    from: String,
    to: String,
    body: String,
}

impl Webhook {
    pub(super) fn new(config: &Config, client: Client, signer: Signer) -> Result<Self, String> {
        let secret = config.webhook_secret.as_ref().map_or("", |secret| secret.expose());
        Ok(Self {
            client,
            signer,
            url: config.provider_url.as_str().to_owned(),
            key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
        })
    }

    async fn post(&self, outgoing: &Outgoing) -> Answer {
        let Outgoing { practice_id, message_id, attempt_no, to, from, body, trace, .. } = outgoing;
        let message = Message {
            to: to.e164(),
            from: from.e164(),
            body,
            idempotency_key: idempotency_key(outgoing),
            callback: self.signer.status_url(*practice_id, *message_id, *attempt_no),
        };
        let json = serde_json::to_vec(&message).expect("strings are always JSON");
        let request = Request::post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .header(SIGNATURE, of_json(&self.key, &json))
            .body(Full::new(Bytes::from(json)));
        let exchange = match request {
            Ok(request) => self.client.exchange(request, *trace).await,
            Err(_) => Exchange::NotConnected,
        };
        judge(exchange, said)
    }

    /// Asks again with the same key. Anything but a clear answer leaves it open: the first try may
    /// have been taken while this one was turned away.
    async fn again(&self, lost: &Lost) -> Look {
        let answer = self.post(&lost.outgoing).await;
        match (answer.outcome, answer.provider_ref.clone()) {
            (DeliveryOutcome::Sent, Some(provider_ref)) => {
                Look::Accepted(vec![Found { provider_ref, accepted_at: lost.started_at }])
            }
            (DeliveryOutcome::Failed, _) => Look::Refused(answer),
            (
                DeliveryOutcome::Sent | DeliveryOutcome::Transient | DeliveryOutcome::Ambiguous,
                _,
            ) => Look::Unknown,
        }
    }

    fn read<'a, T: Deserialize<'a>>(&self, callback: &Callback<'a>) -> Result<T, CallbackError> {
        let signature = callback
            .headers
            .get(SIGNATURE)
            .and_then(|value| value.to_str().ok())
            .ok_or(CallbackError::Signature)?;
        if !json_is_right(&self.key, callback.body, signature) {
            return Err(CallbackError::Signature);
        }
        serde_json::from_slice(callback.body)
            .map_err(|_| CallbackError::Malformed("the JSON isn't of the described shape"))
    }
}

impl Api for Webhook {
    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> Boxed<'a, Answer> {
        Box::pin(self.post(outgoing))
    }

    fn look_up<'a>(&'a self, lost: &'a Lost) -> Boxed<'a, Look> {
        Box::pin(self.again(lost))
    }

    /// A webhook is one's own: what it took is for its owner to say.
    fn list<'a>(&'a self, _span: &'a Span, _next: Option<&'a str>) -> Boxed<'a, Listing> {
        Box::pin(std::future::ready(Listing::None))
    }

    fn has<'a>(&'a self, _provider_ref: &'a str) -> Boxed<'a, Option<bool>> {
        Box::pin(std::future::ready(None))
    }

    fn settles(&self) -> bool {
        false
    }

    fn read_status(&self, callback: &Callback<'_>) -> Result<StatusCallback, CallbackError> {
        let Status { id, status, error_code } = self.read(callback)?;
        Ok(StatusCallback { provider_ref: reference(id)?, receipt: receipt(&status), error_code })
    }

    fn read_inbound(&self, callback: &Callback<'_>) -> Result<InboundText, CallbackError> {
        let Inbound { id, from, to, body } = self.read(callback)?;
        Ok(InboundText {
            provider_ref: reference(id)?,
            from: from
                .parse()
                .map_err(|_| CallbackError::Malformed("from is not a phone number"))?,
            to: to.parse().map_err(|_| CallbackError::Malformed("to is not a phone number"))?,
            body,
        })
    }
}

/// The same for every try of a text, and no other's. Not the message's number alone: that is given
/// again where a primary was lost with what no other server had received. Other words are another
/// text, as they only come after a try that was certainly not taken.
fn idempotency_key(outgoing: &Outgoing) -> String {
    let Outgoing { practice_id, message_id, local_day, rule_id, to, body, .. } = outgoing;
    let text = digest::digest(&digest::SHA256, format!("{} {body}", to.e164()).as_bytes());
    // As many bits as nobody meets twice by chance.
    let text = hex(&text.as_ref()[..16]);
    format!("{practice_id}-{message_id}-{local_day}-{rule_id}-{text}")
}

fn said(body: &[u8]) -> Said {
    let Ok(Document { id, error }) = serde_json::from_slice(body) else {
        return Said::default();
    };
    let error_code = error
        .as_ref()
        .and_then(|error| error.get("code")?.as_i64())
        .and_then(|code| i32::try_from(code).ok());
    Said { provider_ref: id, error_code, is_refusal: error.is_some() }
}

fn reference(id: String) -> Result<String, CallbackError> {
    if (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(id)
    } else {
        Err(CallbackError::Malformed("id must have 1 to 64 printable characters"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::obs::exemplar::TraceId;

    #[test]
    fn answers_are_read() {
        let taken = said(br#"{"id":"m-1","status":"queued"}"#);
        assert_eq!((taken.provider_ref.as_deref(), taken.is_refusal), (Some("m-1"), false));
        let refused = said(br#"{"error":{"code":"invalid","message":"to"}}"#);
        assert_eq!((refused.is_refusal, refused.error_code), (true, None));
        let coded = said(br#"{"error":{"code":21610}}"#);
        assert_eq!(coded.error_code, Some(21_610));
        assert_eq!(said(b"nonsense"), Said::default());
    }

    #[test]
    fn a_key_is_the_same_for_every_try_and_of_no_other_text() {
        let text = Outgoing {
            practice_id: 7,
            message_id: 123,
            local_day: "2026-05-05".parse().unwrap(),
            rule_id: 1,
            attempt_no: 1,
            to: "+99911111111".parse().unwrap(),
            from: "+99922222222".parse().unwrap(),
            body: "See you tomorrow".into(),
            trace: TraceId::from_random(1),
        };
        let key = idempotency_key(&text);
        assert!(key.starts_with("7-123-2026-05-05-1-") && !key.contains("999"), "{key}");
        let later = Outgoing {
            attempt_no: 2,
            from: "+99933333333".parse().unwrap(),
            trace: TraceId::from_random(2),
            ..text.clone()
        };
        assert_eq!(idempotency_key(&later), key);
        for other in [
            Outgoing { practice_id: 8, ..text.clone() },
            Outgoing { message_id: 124, ..text.clone() },
            // Under a number that was given before.
            Outgoing { local_day: "2026-05-06".parse().unwrap(), ..text.clone() },
            Outgoing { rule_id: 2, ..text.clone() },
            Outgoing { to: "+99944444444".parse().unwrap(), ..text.clone() },
            Outgoing { body: "See you today".into(), ..text },
        ] {
            assert_ne!(idempotency_key(&other), key, "{other:?}");
        }
    }

    #[test]
    fn references_are_checked() {
        assert!(reference("m-1".into()).is_ok());
        assert!(reference(String::new()).is_err());
        assert!(reference("x".repeat(65)).is_err());
        assert!(reference("a b".into()).is_err());
    }
}
