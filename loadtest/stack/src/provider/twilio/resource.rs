//! The message resource: what Twilio's API shows of a text.
//!
//! Here belongs its JSON, field by field as the API documents it.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::provider::fate::Fates;
use crate::provider::index::Message;
use crate::provider::log::LogEntry;
use crate::provider::segments;

/// A message as the API shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Resource<'a> {
    account_sid: &'a str,
    api_version: &'static str,
    body: &'a str,
    date_created: String,
    date_updated: String,
    date_sent: Option<String>,
    direction: &'static str,
    error_code: Option<u16>,
    error_message: Option<&'static str>,
    from: Option<&'a str>,
    messaging_service_sid: Option<&'a str>,
    num_media: &'static str,
    num_segments: String,
    price: Option<&'static str>,
    price_unit: &'static str,
    sid: &'a str,
    status: &'static str,
    subresource_uris: Subresources,
    to: &'a str,
    uri: String,
}

#[derive(Debug, Serialize)]
struct Subresources {
    media: String,
}

/// What the resource of a text that was just accepted is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fresh<'a> {
    pub(crate) sid: &'a str,
    pub(crate) to: &'a str,
    pub(crate) from: Option<&'a str>,
    pub(crate) messaging_service_sid: Option<&'a str>,
    pub(crate) body: &'a str,
    pub(crate) accepted: Timestamp,
}

impl<'a> Resource<'a> {
    /// A text that was just accepted.
    pub(crate) fn fresh(account_sid: &'a str, message: Fresh<'a>) -> Self {
        let Fresh { sid, to, from, messaging_service_sid, body, accepted } = message;
        let date = rfc2822(accepted);
        let base = format!("/2010-04-01/Accounts/{account_sid}/Messages/{sid}");
        // A messaging service chooses its sender later, and with it the encoding.
        let by_service = messaging_service_sid.is_some() && from.is_none();
        Self {
            account_sid,
            api_version: "2010-04-01",
            body,
            date_created: date.clone(),
            date_updated: date,
            date_sent: None,
            direction: "outbound-api",
            error_code: None,
            error_message: None,
            from,
            messaging_service_sid,
            num_media: "0",
            num_segments: if by_service { 0 } else { segments::count(body) }.to_string(),
            price: None,
            price_unit: "USD",
            sid,
            status: if by_service { "accepted" } else { "queued" },
            subresource_uris: Subresources { media: format!("{base}/Media.json") },
            to,
            uri: format!("{base}.json"),
        }
    }

    /// A text as it is some time after it was accepted.
    pub(crate) fn looked_up(
        account_sid: &'a str,
        entry: &'a LogEntry,
        fates: &Fates,
        message: &Message,
        now: Timestamp,
    ) -> Self {
        let &Message { plan, key, is_redacted, .. } = message;
        let elapsed = Duration::try_from(now.duration_since(entry.real)).unwrap_or_default();
        let fresh = Self::fresh(
            account_sid,
            Fresh {
                sid: &entry.sid,
                to: &entry.to,
                from: entry.from.as_deref(),
                messaging_service_sid: entry.messaging_service_sid.as_deref(),
                body: &entry.body,
                accepted: entry.real,
            },
        );
        let status = fates.status(plan, key, elapsed);
        if status == "queued" {
            return fresh;
        }
        // How long it was is told all the same.
        let fresh = if is_redacted { Self { body: "", ..fresh } } else { fresh };
        let error = if status == plan.fate.status() { plan.fate.error(key) } else { None };
        Self {
            num_segments: segments::count(&entry.body).to_string(),
            date_sent: Some(rfc2822(entry.real)),
            date_updated: rfc2822(now.min(entry.real + fates.settled_within(key))),
            error_code: error.map(|(code, _)| code),
            error_message: error.map(|(_, message)| message),
            status,
            ..fresh
        }
    }

    /// How far it has come.
    pub(crate) const fn status(&self) -> &'static str {
        self.status
    }
}

/// RFC 2822 with the zone as Twilio writes it.
fn rfc2822(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}
