//! Twilio's Messages API (twilio.com/docs/messaging/api/message-resource): form-encoded requests
//! with basic authentication, signed callbacks. It has no idempotency key, so a lost answer is
//! resolved by listing what it took for that recipient at that time.

mod list;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use http_body_util::Full;
use jiff::SignedDuration;
use serde::Deserialize;

use super::callback::Signer;
use super::client::{Client, Exchange};
use super::outcome::{Said, judge};
use super::signature::twilio_is_right;
use super::{
    Answer, Api, Boxed, Callback, CallbackError, Found, InboundText, Listing, Look, Lost, Outgoing,
    Span, StatusCallback,
};
use crate::config::Config;
use crate::phone::Phone;
use crate::receipts::Receipt;

/// Texts that one look-up reads: far more than one recipient gets in a minute.
const PAGE_SIZE: u32 = 50;
/// How far Twilio's clock, which shows whole seconds, may be behind ours: without its time service
/// a machine is off by seconds a day. Too little sends a text twice; too much finds none that is
/// wrong, as what other texts of the phone have is left out, and an earlier try of this one is it.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_mins(5);

/// Twilio's client.
pub(super) struct Twilio {
    client: Client,
    signer: Signer,
    /// Where its API is, without a path.
    base: String,
    /// Where messages are made and listed.
    messages: String,
    authorization: HeaderValue,
    /// Checks the signatures of its callbacks.
    key: hmac::Key,
}

/// What an answer says, of a message or of an error.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    sid: Option<String>,
    #[serde(default)]
    code: Option<i32>,
}

/// A page of messages.
#[derive(Deserialize)]
struct Page {
    messages: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    sid: String,
    body: Option<String>,
    to: Option<String>,
    from: Option<String>,
    direction: Option<String>,
    date_created: Option<String>,
}

impl Twilio {
    pub(super) fn new(config: &Config, client: Client, signer: Signer) -> Result<Self, String> {
        let account = &config.twilio_account_sid;
        let token = config.twilio_auth_token.as_ref().map_or("", |token| token.expose());
        let credentials = STANDARD.encode(format!("{account}:{token}"));
        let mut authorization = HeaderValue::from_str(&format!("Basic {credentials}"))
            .map_err(|_| "twilio_auth_token: can't be sent in a header".to_owned())?;
        authorization.set_sensitive(true);
        let base = config.provider_url.as_str();
        Ok(Self {
            client,
            signer,
            base: base.to_owned(),
            messages: format!("{base}/2010-04-01/Accounts/{account}/Messages.json"),
            authorization,
            key: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes()),
        })
    }

    fn request(&self, method: Method, url: &str, body: String) -> Option<Request<Full<Bytes>>> {
        Request::builder()
            .method(method)
            .uri(url)
            .header(AUTHORIZATION, self.authorization.clone())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(body)))
            .ok()
    }

    async fn create(&self, outgoing: &Outgoing) -> Answer {
        let Outgoing { practice_id, message_id, attempt_no, to, from, body, trace, .. } = outgoing;
        let callback = self.signer.status_url(*practice_id, *message_id, *attempt_no);
        let form = form_urlencoded::Serializer::new(String::with_capacity(512))
            .append_pair("To", &to.e164())
            .append_pair("From", &from.e164())
            .append_pair("Body", body)
            .append_pair("StatusCallback", &callback)
            .finish();
        let exchange = match self.request(Method::POST, &self.messages, form) {
            Some(request) => self.client.exchange(request, *trace).await,
            None => Exchange::NotConnected,
        };
        judge(exchange, said)
    }

    async fn find(&self, lost: &Lost) -> Look {
        let Lost { outgoing, started_at } = lost;
        // Twilio filters by its own day or instant of sending, which a queued text has not had:
        // the day before covers every zone, and the texts themselves say when they were made.
        let since = (*started_at - SignedDuration::from_hours(24)).strftime("%Y-%m-%d").to_string();
        let query = form_urlencoded::Serializer::new(String::with_capacity(128))
            .append_pair("To", &outgoing.to.e164())
            .append_pair("From", &outgoing.from.e164())
            .append_pair("DateSent>", &since)
            .append_pair("PageSize", &PAGE_SIZE.to_string())
            .finish();
        let url = format!("{}?{query}", self.messages);
        let Some(request) = self.request(Method::GET, &url, String::new()) else {
            return Look::Unknown;
        };
        match self.client.exchange(request, outgoing.trace).await {
            Exchange::Answered { status: 200, body, .. } => {
                serde_json::from_slice(&body).map_or(Look::Unknown, |page| read_page(page, lost))
            }
            Exchange::Answered { .. } | Exchange::NotConnected | Exchange::Lost => Look::Unknown,
        }
    }

    /// The fields of a callback, once its signature is right.
    fn fields(&self, callback: &Callback<'_>) -> Result<Vec<(String, String)>, CallbackError> {
        let fields: Vec<(String, String)> =
            form_urlencoded::parse(callback.body).into_owned().collect();
        let url = self.signer.url(callback.path_and_query);
        let signature = callback
            .headers
            .get("x-twilio-signature")
            .and_then(|value| value.to_str().ok())
            .ok_or(CallbackError::Signature)?;
        if twilio_is_right(&self.key, &url, &fields, signature) {
            Ok(fields)
        } else {
            Err(CallbackError::Signature)
        }
    }
}

impl Api for Twilio {
    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> Boxed<'a, Answer> {
        Box::pin(self.create(outgoing))
    }

    fn look_up<'a>(&'a self, lost: &'a Lost) -> Boxed<'a, Look> {
        Box::pin(self.find(lost))
    }

    fn list<'a>(&'a self, span: &'a Span, next: Option<&'a str>) -> Boxed<'a, Listing> {
        Box::pin(self.page(span, next))
    }

    fn has<'a>(&'a self, provider_ref: &'a str) -> Boxed<'a, Option<bool>> {
        Box::pin(self.has_it(provider_ref))
    }

    fn settles(&self) -> bool {
        true
    }

    fn read_status(&self, callback: &Callback<'_>) -> Result<StatusCallback, CallbackError> {
        status(&self.fields(callback)?)
    }

    fn read_inbound(&self, callback: &Callback<'_>) -> Result<InboundText, CallbackError> {
        inbound(&self.fields(callback)?)
    }
}

fn said(body: &[u8]) -> Said {
    let Ok(Document { sid, code }) = serde_json::from_slice(body) else { return Said::default() };
    // An error's document has no name of a message; a message's has no code.
    Said { is_refusal: code.is_some(), provider_ref: sid, error_code: code }
}

/// The texts of a page that may be the lost one: the same words between the same numbers, made
/// since the try began. Oldest first.
fn read_page(page: Page, lost: &Lost) -> Look {
    let Lost { outgoing, started_at } = lost;
    let earliest = *started_at - CLOCK_SLACK;
    let (to, from) = (outgoing.to.e164(), outgoing.from.e164());
    let mut found: Vec<Found> = page
        .messages
        .into_iter()
        .filter(|listed| {
            listed.body.as_deref() == Some(outgoing.body.as_str())
                && listed.to.as_deref() == Some(to.as_str())
                && listed.from.as_deref() == Some(from.as_str())
                && listed.direction.as_deref() != Some("inbound")
        })
        .filter_map(|listed| {
            let accepted_at = jiff::fmt::rfc2822::parse(listed.date_created.as_deref()?).ok()?;
            let accepted_at = accepted_at.timestamp();
            (accepted_at >= earliest).then_some(Found { provider_ref: listed.sid, accepted_at })
        })
        .collect();
    found.sort_by(|a, b| (a.accepted_at, &a.provider_ref).cmp(&(b.accepted_at, &b.provider_ref)));
    if found.is_empty() { Look::NotFound } else { Look::Accepted(found) }
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

fn reference(fields: &[(String, String)]) -> Result<String, CallbackError> {
    field(fields, "MessageSid")
        .or_else(|| field(fields, "SmsSid"))
        .filter(|sid| (1..=64).contains(&sid.len()) && sid.bytes().all(|b| b.is_ascii_graphic()))
        .map(str::to_owned)
        .ok_or(CallbackError::Malformed("MessageSid is missing or wrong"))
}

fn status(fields: &[(String, String)]) -> Result<StatusCallback, CallbackError> {
    let provider_ref = reference(fields)?;
    let status = field(fields, "MessageStatus")
        .or_else(|| field(fields, "SmsStatus"))
        .ok_or(CallbackError::Malformed("MessageStatus is missing"))?;
    let error_code = field(fields, "ErrorCode").and_then(|code| code.parse().ok());
    Ok(StatusCallback { provider_ref, receipt: receipt(status), error_code })
}

/// How far a text got. A status that isn't known says nothing: Twilio adds some now and then.
pub(super) fn receipt(status: &str) -> Option<Receipt> {
    match status {
        "delivered" => Some(Receipt::Delivered),
        "read" => Some(Receipt::Read),
        "undelivered" | "failed" | "canceled" => Some(Receipt::Undelivered),
        _ => None,
    }
}

fn inbound(fields: &[(String, String)]) -> Result<InboundText, CallbackError> {
    let phone = |name, what| -> Result<Phone, CallbackError> {
        field(fields, name).and_then(|text| text.parse().ok()).ok_or(CallbackError::Malformed(what))
    };
    Ok(InboundText {
        provider_ref: reference(fields)?,
        from: phone("From", "From is missing or not a phone number")?,
        to: phone("To", "To is missing or not a phone number")?,
        body: field(fields, "Body").unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
#[path = "twilio_tests.rs"]
mod twilio_tests;
