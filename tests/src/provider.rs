//! The simulated provider as tests need it: quick, and callbacks made by hand where the order of
//! things matters.
//!
//! Never here: how a provider behaves; that is [`stack::provider`].

use std::path::Path;

use stack::provider::{Fates, Latency, LogEntry, Options, Simulator, read_log, twilio_signature};

use crate::client::{Answer, Client};
use crate::wait::soon;

/// A simulator that does everything right, and soon.
pub fn options(log: &Path) -> Options {
    let constant = |ms| Latency::Constant { ms };
    Options {
        fates: Fates {
            sent_delay: constant(5.0),
            final_delay: constant(10.0),
            reply_delay: constant(10.0),
            ..Fates::default()
        },
        ..Options::new(log)
    }
}

/// A simulator whose texts are never called back by itself: the test does.
pub fn silent(options: Options) -> Options {
    let never = Latency::Constant { ms: 60_000.0 };
    Options { fates: Fates { sent_delay: never, final_delay: never, ..options.fates }, ..options }
}

/// The texts that it accepted so far, in their order.
///
/// # Panics
/// When the log can't be read.
pub fn accepted(simulator: &Simulator) -> Vec<LogEntry> {
    read_log(simulator.log_path()).unwrap().map(|entry| entry.unwrap()).collect()
}

/// Waits until it has accepted this many texts, and returns them.
///
/// # Panics
/// When it hasn't soon.
pub async fn until_accepted(simulator: &Simulator, texts: u64) -> Vec<LogEntry> {
    let what = format!("{texts} texts at the provider");
    soon(&what, simulator.wait_for(|state| state.accepted >= texts)).await;
    accepted(simulator)
}

/// Practice, message and attempt as a text's callback address carries them.
///
/// # Panics
/// When it has no such address.
pub fn carried(entry: &LogEntry) -> (i64, i64, i64) {
    let url = entry.callback.as_deref().expect("a text with a callback");
    let path = url.split_once("/status/").expect("a status callback's address").1;
    let numbers: Vec<i64> = path.split('/').take(3).map(|part| part.parse().unwrap()).collect();
    (numbers[0], numbers[1], numbers[2])
}

/// Calls back what became of a text, signed as Twilio does.
pub async fn call_back(
    client: &Client,
    entry: &LogEntry,
    status: &str,
    more: &[(&str, &str)],
) -> Answer {
    let url = entry.callback.as_deref().expect("a text with a callback");
    let mut fields = vec![
        ("AccountSid", Options::ACCOUNT_SID),
        ("MessageSid", entry.sid.as_str()),
        ("MessageStatus", status),
        ("To", entry.to.as_str()),
        ("From", entry.from.as_deref().unwrap_or_default()),
    ];
    fields.extend_from_slice(more);
    signed(client, url, &fields).await
}

/// Posts a form to an address that the provider was given, signed as Twilio does.
pub async fn signed(client: &Client, url: &str, fields: &[(&str, &str)]) -> Answer {
    let signature = twilio_signature(Options::AUTH_TOKEN, url, fields);
    client
        .call(http::Method::POST, path_of(url))
        .anonymous()
        .form(fields)
        .header("x-twilio-signature", &signature)
        .send()
        .await
}

/// Where the provider takes patients' texts.
pub fn reply_url(client: &Client) -> String {
    format!("http://{}/v1/callbacks/twilio/reply", client.public)
}

/// Texts the practice's number, signed as Twilio does.
pub async fn reply(client: &Client, from: &str, to: &str, sid: &str, body: &str) -> Answer {
    let fields = [
        ("AccountSid", Options::ACCOUNT_SID),
        ("MessageSid", sid),
        ("From", from),
        ("To", to),
        ("Body", body),
        ("NumMedia", "0"),
    ];
    signed(client, &reply_url(client), &fields).await
}

/// The path of a URL.
pub fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").expect("an absolute URL").1;
    &rest[rest.find('/').expect("a path")..]
}
