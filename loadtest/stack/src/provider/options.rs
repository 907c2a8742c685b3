//! Options: how a simulator is started, and what it refuses to be started with.
//!
//! Here belong the settings and every bound with its reason; what can change while it runs is in
//! `faults`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;

use super::fate::Fates;
use super::faults::Faults;

/// How a simulator is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether it may listen on, and call back, other machines. Off, so that a test can't reach
    /// anything real.
    pub allow_remote: bool,
    /// The log of accepted texts; callbacks are logged beside it. Made if it isn't there, read if
    /// it is.
    pub log: PathBuf,
    /// The account that clients use, `AC` and 32 hexadecimal digits.
    pub account_sid: String,
    /// Its auth token: clients present it and callbacks are signed with it.
    pub auth_token: Secret,
    /// What the webhook API's requests and callbacks are signed with.
    pub webhook_secret: Secret,
    /// Where replies are posted; without it nobody replies.
    pub inbound_url: Option<String>,
    /// Decides, with the text, everything that is left to chance.
    pub seed: u64,
    /// What goes wrong.
    pub faults: Faults,
    /// What becomes of accepted texts.
    pub fates: Fates,
    /// What it holds at the most.
    pub limits: Limits,
}

/// What a simulator holds at the most, and how long it tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections; more wait in the kernel's queue, and what they carry is accepted late.
    /// 2,048 are the deliveries of two processes of the service; with those of the callbacks they
    /// need 2,400 open files.
    pub connections_max: usize,
    /// Accepted texts; more are answered 503. At 150 bytes each, five million are 750 MB.
    pub messages_max: u32,
    /// Callbacks that wait for their time; more are given up at once. At 32 bytes each, one
    /// million are 32 MB.
    pub callbacks_waiting_max: usize,
    /// Callbacks on the wire at once. Where an answer takes 50 ms, as behind the group commit of
    /// a busy machine, 320 of them make 6,400 a second: two for each of 3,200 messages.
    pub callbacks_in_flight_max: usize,
    /// How often one callback is tried, with twice the pause each time from 250 ms up to 5 s:
    /// ten tries last 28 s, in which a killed service is back.
    pub callback_tries_max: u8,
    /// How long one try may take; Twilio waits 15 s.
    pub callback_deadline: Duration,
}

/// Something that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Options that no simulator is started with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct OptionsError(Vec<String>);

/// Why a URL is none that the simulator calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It isn't an absolute URL.
    #[error("is no absolute URL such as http://127.0.0.1:8080/path")]
    NoUrl,
    /// It isn't plain HTTP.
    #[error("is not http:// (the simulator speaks no TLS)")]
    NoHttp,
    /// It leads to another machine.
    #[error("leads to another machine than this one (allow it with --allow-remote)")]
    Remote,
}

impl Options {
    /// The account that clients use unless told otherwise: made up, and plainly so.
    pub const ACCOUNT_SID: &str = "AC00000000000000000000000000000999";
    /// Its token. No secret: it opens nothing but a simulator.
    pub const AUTH_TOKEN: &str = "simulated-auth-token";
    /// The webhook's secret. No secret either.
    pub const WEBHOOK_SECRET: &str = "simulated-webhook-secret";

    /// A simulator on a free loopback port that does everything right.
    pub fn new(log: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            allow_remote: false,
            log: log.into(),
            account_sid: Self::ACCOUNT_SID.to_owned(),
            auth_token: Secret::new(Self::AUTH_TOKEN),
            webhook_secret: Secret::new(Self::WEBHOOK_SECRET),
            inbound_url: None,
            seed: 1,
            faults: Faults::none(),
            fates: Fates::default(),
            limits: Limits::default(),
        }
    }

    /// Checks everything and names all that is wrong at once.
    pub fn check(&self) -> Result<(), OptionsError> {
        let mut wrong = Vec::new();
        if !self.allow_remote && !self.listen.ip().is_loopback() {
            let listen = self.listen;
            wrong.push(format!(
                "listen {listen}: other machines could reach it; use 127.0.0.1 or --allow-remote"
            ));
        }
        if !is_sid(&self.account_sid, "AC") {
            let sid = &self.account_sid;
            wrong.push(format!("account-sid {sid:?}: write AC and 32 hexadecimal digits"));
        }
        for (name, secret) in
            [("auth-token", &self.auth_token), ("webhook-secret", &self.webhook_secret)]
        {
            if secret.0.is_empty() {
                wrong.push(format!("{name}: must not be empty"));
            }
        }
        if let Some(url) = &self.inbound_url
            && let Err(error) = target(url, self.allow_remote)
        {
            wrong.push(format!("inbound-url {url:?}: {error}"));
        }
        wrong.extend(self.faults.check().err().into_iter().flat_map(|error| error.0));
        wrong.extend(self.fates.check().err().into_iter().flat_map(|error| error.0));
        if wrong.is_empty() { Ok(()) } else { Err(OptionsError(wrong)) }
    }

    /// The log of callbacks, beside the log of accepted texts.
    pub fn callback_log(&self) -> PathBuf {
        self.log.with_extension("callbacks.jsonl")
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 2_048,
            messages_max: 5_000_000,
            callbacks_waiting_max: 1_000_000,
            callbacks_in_flight_max: 320,
            callback_tries_max: 10,
            callback_deadline: Duration::from_secs(10),
        }
    }
}

impl Secret {
    /// Takes what is never to be printed.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// What must not be printed.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Whether a text is a reference of this kind.
pub(crate) fn is_sid(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The URL to call, if it is one that may be called.
pub(crate) fn target(url: &str, allow_remote: bool) -> Result<Uri, TargetError> {
    let uri: Uri = url.parse().map_err(|_| TargetError::NoUrl)?;
    let host = uri.host().ok_or(TargetError::NoUrl)?;
    if uri.scheme_str() != Some("http") {
        return Err(TargetError::NoHttp);
    }
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    let loopback = match address {
        Some(address) => address.is_loopback(),
        None => host == "localhost",
    };
    if loopback || allow_remote { Ok(uri) } else { Err(TargetError::Remote) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let check = |url| target(url, false).map(|_| ());
        assert_eq!(check("http://127.0.0.1:80/x?y=z"), Ok(()));
        assert_eq!(check("http://localhost/x"), Ok(()));
        assert_eq!(check("http://[::1]:8080/x"), Ok(()));
        assert_eq!(check("https://127.0.0.1/x"), Err(TargetError::NoHttp));
        assert_eq!(check("http://192.0.2.1/x"), Err(TargetError::Remote));
        assert_eq!(check("http://localhost.example.org/x"), Err(TargetError::Remote));
        assert_eq!(check("/x"), Err(TargetError::NoUrl));
        assert_eq!(check("not a url"), Err(TargetError::NoUrl));
        assert!(target("http://192.0.2.1/x", true).is_ok());
    }

    #[test]
    fn all_mistakes_are_named_at_once_and_no_secret_is_printed() {
        let options = Options {
            listen: SocketAddr::from(([0, 0, 0, 0], 0)),
            account_sid: "AC1".into(),
            auth_token: Secret::new(""),
            inbound_url: Some("http://192.0.2.1/".into()),
            faults: Faults { hang_share: 2.0, ..Faults::none() },
            ..Options::new("log")
        };
        let error = options.check().unwrap_err().to_string();
        for part in ["listen 0.0.0.0:0", "account-sid", "auth-token", "inbound-url", "hang_share"] {
            assert!(error.contains(part), "{part} is missing from {error}");
        }
        assert!(!format!("{:?}", Options::new("log")).contains(Options::AUTH_TOKEN));
    }
}
