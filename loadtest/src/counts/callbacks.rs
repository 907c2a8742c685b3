//! The provider's callbacks, sent by the harness itself in a fixed order, one after the other: a
//! provider's own come when they come, and those that come together are recorded together.
//!
//! Belongs here: what they say, from the simulator's log. Never here: sending them (`lockstep`).

use std::path::Path;

use form_urlencoded::Serializer;
use stack::provider::{LogEntry, Options, read_log, twilio_signature};

use super::document::Sent;
use super::lockstep::PUBLIC_URL;
use crate::exit::Failure;

/// Twilio's form.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";
/// What signs it.
pub(super) const SIGNATURE: &str = "x-twilio-signature";
/// Of so many texts one is answered.
const REPLY_EVERY: u64 = 8;

/// A callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Callback {
    /// Where to, without the host.
    pub(super) path: String,
    /// What it says.
    pub(super) body: String,
    /// By which it is known.
    pub(super) signature: String,
    /// The endpoint that takes it.
    pub(super) endpoint: &'static str,
}

/// Texts that the provider took, as far as they were looked at.
#[derive(Debug, Default)]
pub(super) struct Taken {
    seen: usize,
    /// All of them.
    pub(super) sent: Sent,
}

impl Taken {
    /// The callbacks of what was taken since the last look, by text.
    pub(super) fn next(&mut self, log: &Path) -> Result<Vec<Callback>, Failure> {
        let unread = |e: &dyn std::fmt::Display| Failure::Unavailable(e.to_string());
        let entries = read_log(log).map_err(|e| unread(&e))?.skip(self.seen);
        let mut entries: Vec<LogEntry> =
            entries.collect::<Result<_, _>>().map_err(|e| unread(&e))?;
        self.seen += entries.len();
        // Deliveries overtake each other; their callbacks' addresses name practice, text and try.
        entries.sort_by_cached_key(order);
        let mut callbacks = Vec::new();
        for entry in &entries {
            self.sent.texts += 1;
            let from = entry.from.as_deref().unwrap_or_default();
            let callback = entry.callback.as_deref().unwrap_or_default();
            let bytes = entry.to.len() + from.len() + entry.body.len() + callback.len();
            self.sent.bytes += bytes as u64;
            callbacks.extend(["sent", "delivered"].map(|status| of_status(entry, status)));
            if self.sent.texts.is_multiple_of(REPLY_EVERY) {
                callbacks.push(reply(entry, self.sent.texts));
            }
        }
        Ok(callbacks)
    }
}

/// The numbers in a callback's address, in their order.
fn order(entry: &LogEntry) -> Vec<u64> {
    let path = entry.callback.as_deref().unwrap_or_default().split('/');
    path.filter_map(|part| part.parse().ok()).take(3).collect()
}

fn of_status(entry: &LogEntry, status: &str) -> Callback {
    let url = entry.callback.as_deref().unwrap_or_default();
    let fields = [
        ("MessageSid", entry.sid.as_str()),
        ("MessageStatus", status),
        ("To", entry.to.as_str()),
        ("From", entry.from.as_deref().unwrap_or_default()),
    ];
    signed(url, &fields, "receive_status")
}

fn reply(entry: &LogEntry, number: u64) -> Callback {
    let url = format!("{PUBLIC_URL}/v1/callbacks/twilio/reply");
    let sid = format!("SM{number:032x}");
    let fields = [
        ("MessageSid", sid.as_str()),
        ("Body", "YES"),
        ("From", entry.to.as_str()),
        ("To", entry.from.as_deref().unwrap_or_default()),
    ];
    signed(&url, &fields, "receive_reply")
}

fn signed(url: &str, fields: &[(&str, &str)], endpoint: &'static str) -> Callback {
    Callback {
        path: url.strip_prefix(PUBLIC_URL).unwrap_or(url).to_owned(),
        body: Serializer::new(String::new()).extend_pairs(fields).finish(),
        signature: twilio_signature(Options::AUTH_TOKEN, url, fields),
        endpoint,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fmt::Write as _;

    use super::*;

    fn line(seq: u64, message: u64) -> String {
        let url = format!("{PUBLIC_URL}/v1/callbacks/twilio/status/1001/{message}/1/abcd");
        serde_json::json!({
            "seq": seq, "t_ns": 1, "real": "2027-03-09T09:00:00Z", "sid": format!("SM{seq}"),
            "to": "+999", "from": "+1", "body": "see you", "callback": url, "provider": "twilio",
            "attempt": 1, "fault": null, "messaging_service_sid": null, "idempotency_key": null,
            "form_digest": "0", "plan": {"fate": "delivered", "reply": null,
                "sent_callback": true, "out_of_order": false},
        })
        .to_string()
    }

    #[test]
    fn each_text_is_called_back_twice_in_the_order_of_texts() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log.jsonl");
        let mut text = String::new();
        for (seq, message) in [(1, 20), (2, 3), (3, 100)] {
            writeln!(text, "{}", line(seq, message)).unwrap();
        }
        std::fs::write(&log, &text).unwrap();
        let mut taken = Taken::default();
        let callbacks = taken.next(&log).unwrap();
        let places: Vec<&str> = callbacks.iter().map(|callback| callback.path.as_str()).collect();
        assert_eq!(places[0], "/v1/callbacks/twilio/status/1001/3/1/abcd");
        assert_eq!(places[2], "/v1/callbacks/twilio/status/1001/20/1/abcd");
        assert_eq!((places.len(), taken.sent.texts), (6, 3));
        assert!(callbacks[1].body.contains("MessageStatus=delivered"), "{:?}", callbacks[1]);
        assert_eq!(taken.next(&log).unwrap(), [], "each once");
        text.clear();
        for seq in 4..=8 {
            writeln!(text, "{}", line(seq, 200 + seq)).unwrap();
        }
        let all = std::fs::read_to_string(&log).unwrap() + &text;
        std::fs::write(&log, all).unwrap();
        let replies = taken.next(&log).unwrap();
        let replies = replies.iter().filter(|callback| callback.endpoint == "receive_reply");
        assert_eq!(replies.count(), 1, "the eighth text is answered");
    }
}
