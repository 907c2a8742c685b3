//! What a callback says, in Twilio's form and in the webhook's, and how it is signed.
//!
//! Here belongs the request; when it leaves is in `queue`, how in `client`.

use std::borrow::Cow;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Uri;
use serde_json::json;

use super::status;
use crate::provider::draw::Key;
use crate::provider::engine::Engine;
use crate::provider::fate::{ReplyKind, Step};
use crate::provider::log::{LogEntry, ProviderKind};
use crate::provider::options::target;
use crate::provider::reference::Reference;
use crate::provider::{form, hex, segments};

const API_VERSION: &str = "2010-04-01";

/// A request that is ready to be sent, as often as it takes.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) uri: Uri,
    pub(crate) content_type: &'static str,
    pub(crate) signature: (&'static str, String),
    pub(crate) body: Bytes,
}

impl Outgoing {
    /// The request for a step of a text; none where its address may not be called.
    pub(crate) fn new(engine: &Engine, entry: &LogEntry, step: Step) -> Option<Self> {
        let options = &engine.options;
        let url = match step {
            Step::Sent | Step::Final(_) => entry.callback.as_deref(),
            Step::Reply(_) => options.inbound_url.as_deref(),
        }?;
        let uri = target(url, options.allow_remote).ok()?;
        let key = Key::of(options.seed, entry.to.as_bytes(), entry.body.as_bytes());
        Some(match entry.provider {
            ProviderKind::Twilio => {
                let fields = match step {
                    Step::Sent | Step::Final(_) => status_fields(engine, entry, step, key),
                    Step::Reply(kind) => reply_fields(engine, entry, kind, key),
                };
                Self::twilio(&engine.twilio_key, url, uri, fields)
            }
            ProviderKind::Webhook => Self::webhook(engine, uri, entry, step, key),
        })
    }

    fn twilio(key: &hmac::Key, url: &str, uri: Uri, mut fields: Vec<(&str, Cow<'_, str>)>) -> Self {
        fields.sort_unstable();
        let mut body = String::with_capacity(512);
        for (name, value) in &fields {
            form::push(&mut body, name, value);
        }
        let fields = fields.iter().map(|(name, value)| (*name, value.as_ref()));
        Self {
            uri,
            content_type: "application/x-www-form-urlencoded; charset=utf-8",
            signature: ("x-twilio-signature", sign(key, url, fields)),
            body: body.into(),
        }
    }

    fn webhook(engine: &Engine, uri: Uri, entry: &LogEntry, step: Step, key: Key) -> Self {
        let LogEntry { sid, to, from, .. } = entry;
        let json = match step {
            Step::Sent => json!({"id": sid, "status": "sent", "to": to, "from": from}),
            Step::Final(fate) => json!({
                "id": sid,
                "status": fate.status(),
                "error_code": fate.error(key).map(|(code, _)| code),
                "to": to,
                "from": from,
            }),
            Step::Reply(kind) => json!({
                "id": Reference::reply(key, number(entry)).as_str(),
                "from": to,
                "to": from,
                "body": kind.text(key),
            }),
        };
        let body = json.to_string();
        let signature = webhook_signature(&engine.webhook_key, body.as_bytes());
        Self {
            uri,
            content_type: "application/json",
            signature: ("x-punctual-signature", signature),
            body: body.into(),
        }
    }
}

/// Twilio's signature: base64 of the HMAC-SHA1, keyed by the auth token, of the URL as it was
/// given and then each field's name and value in the order of the names.
pub fn twilio_signature<N, V>(auth_token: &str, url: &str, fields: &[(N, V)]) -> String
where
    N: AsRef<str>,
    V: AsRef<str>,
{
    let mut sorted: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
    sorted.sort_unstable();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, auth_token.as_bytes());
    sign(&key, url, sorted.into_iter())
}

/// The same for fields that are in order.
fn sign<'a>(
    key: &hmac::Key,
    url: &str,
    sorted: impl Iterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(url.as_bytes());
    for (name, value) in sorted {
        context.update(name.as_bytes());
        context.update(value.as_bytes());
    }
    STANDARD.encode(context.sign())
}

/// The webhook's signature: `sha256=` and the HMAC-SHA256 of the body in hexadecimal.
pub(crate) fn webhook_signature(key: &hmac::Key, body: &[u8]) -> String {
    format!("sha256={}", hex::text(hmac::sign(key, body).as_ref()))
}

fn status_fields<'a>(
    engine: &'a Engine,
    entry: &'a LogEntry,
    step: Step,
    key: Key,
) -> Vec<(&'static str, Cow<'a, str>)> {
    let status = status(step);
    let error = match step {
        Step::Final(fate) => fate.error(key),
        Step::Sent | Step::Reply(_) => None,
    };
    let code = error.map(|(code, _)| code.to_string());
    let service = entry.messaging_service_sid.as_deref();
    let mut fields = vec![
        ("AccountSid", engine.options.account_sid.as_str().into()),
        ("ApiVersion", API_VERSION.into()),
        ("MessageSid", entry.sid.as_str().into()),
        ("MessageStatus", status.into()),
        ("SmsSid", entry.sid.as_str().into()),
        ("SmsStatus", status.into()),
        ("To", entry.to.as_str().into()),
    ];
    fields.extend(entry.from.as_deref().map(|from| ("From", from.into())));
    fields.extend(service.map(|sid| ("MessagingServiceSid", sid.into())));
    fields.extend(code.map(|code| ("ErrorCode", code.into())));
    fields
}

fn reply_fields<'a>(
    engine: &'a Engine,
    entry: &'a LogEntry,
    kind: ReplyKind,
    key: Key,
) -> Vec<(&'static str, Cow<'a, str>)> {
    let sid = Reference::reply(key, number(entry)).as_str().to_owned();
    let text = kind.text(key);
    vec![
        ("AccountSid", engine.options.account_sid.as_str().into()),
        ("ApiVersion", API_VERSION.into()),
        ("Body", text.into()),
        ("From", entry.to.as_str().into()),
        ("MessageSid", sid.clone().into()),
        ("NumMedia", "0".into()),
        ("NumSegments", segments::count(text).to_string().into()),
        ("SmsMessageSid", sid.clone().into()),
        ("SmsSid", sid.into()),
        ("SmsStatus", "received".into()),
        ("To", entry.from.as_deref().unwrap_or_default().into()),
    ]
}

/// The number of the message behind a line.
fn number(entry: &LogEntry) -> u32 {
    (entry.seq - 1) as u32
}

#[cfg(test)]
mod tests {
    use super::twilio_signature;

    #[test]
    fn the_signature_of_the_libraries_own_test() {
        // Twilio's documentation and the tests of its client libraries use these figures.
        let fields = [
            ("To", "+18005551212"),
            ("From", "+14158675309"),
            ("Digits", "1234"),
            ("Caller", "+14158675309"),
            ("CallSid", "CA1234567890ABCDE"),
        ];
        assert_eq!(
            twilio_signature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", &fields),
            "RSOYDt4T1cUTdK1PDd93/VVr8B8="
        );
    }
}
