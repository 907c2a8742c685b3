//! Faults: what the simulator does wrong on request, how often, and which of it a request meets.
//!
//! Here belong the settings, their checks and the pure choice; carrying a fault out is in `server`,
//! `callbacks` and `fate`. A new fault is a share here, a variant of [`Fault`] where a request
//! meets it, and a test of its own.

use serde::{Deserialize, Serialize};

use super::draw::{Key, Purpose};
use super::latency::Latency;

/// What goes wrong and how often. Shares are fractions from 0 to 1; a field that is left out of
/// its JSON is zero. One request meets at most one of the request faults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// How long an answer takes.
    pub latency: Latency,
    /// Answered 500 or 503 and not accepted.
    pub server_error_share: f64,
    /// Answered 429 and not accepted.
    pub too_many_requests_share: f64,
    /// What `Retry-After` says on a 429 or 503, in whole seconds.
    pub retry_after_seconds: u32,
    /// Accepted and logged, then the connection is closed without an answer.
    pub accept_then_drop_share: f64,
    /// Not accepted and never answered: it waits until the client gives up.
    pub hang_share: f64,
    /// Not accepted; the connection is reset (RST) after the request was read.
    pub reset_share: f64,
    /// Connections that are reset as soon as they are open, before anything is read; those to the
    /// control API are no exception.
    pub reset_connection_share: f64,
    /// Status callbacks and replies that are sent twice.
    pub duplicate_callback_share: f64,
    /// Messages whose final status is sent before `sent`.
    pub out_of_order_callback_share: f64,
    /// Accepted texts that carriers don't deliver, as from a sender that they block. What becomes
    /// of the others is not changed by it.
    pub blocked_share: f64,
}

/// The faults that a request can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The connection is reset, nothing is accepted.
    Reset,
    /// Nothing is accepted and nothing is answered.
    Hang,
    /// 500 or 503, nothing is accepted.
    ServerError,
    /// 429 with `Retry-After`, nothing is accepted.
    TooManyRequests,
    /// Accepted, but the answer is lost.
    AcceptThenDrop,
}

/// Settings that can't be: every one of them at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct FaultsError(pub(super) Vec<String>);

impl Default for Faults {
    fn default() -> Self {
        Self::none()
    }
}

impl Faults {
    /// A provider that does everything right, at once.
    pub const fn none() -> Self {
        Self {
            latency: Latency::NONE,
            server_error_share: 0.0,
            too_many_requests_share: 0.0,
            retry_after_seconds: 1,
            accept_then_drop_share: 0.0,
            hang_share: 0.0,
            reset_share: 0.0,
            reset_connection_share: 0.0,
            duplicate_callback_share: 0.0,
            out_of_order_callback_share: 0.0,
            blocked_share: 0.0,
        }
    }

    /// The profile of an ordinary day: 0.1 % of the answers lost after accepting, 0.2 % each of
    /// 429 and 5xx, 1 % each of duplicate and out-of-order callbacks, answers after 4 ms at the
    /// median and 30 ms at p99. High enough that 20,000 messages meet each at least twenty times.
    pub const fn day() -> Self {
        Self {
            latency: Latency::Lognormal { p50_ms: 4.0, p99_ms: 30.0 },
            server_error_share: 0.002,
            too_many_requests_share: 0.002,
            accept_then_drop_share: 0.001,
            duplicate_callback_share: 0.01,
            out_of_order_callback_share: 0.01,
            ..Self::none()
        }
    }

    /// Checks every share and that the request faults together leave room for an answer.
    pub fn check(&self) -> Result<(), FaultsError> {
        let mut wrong = Vec::new();
        for (name, share) in self.shares() {
            check_share(&mut wrong, name, share);
        }
        let sum: f64 = self.request_faults().iter().map(|(_, share)| share).sum();
        if sum > 1.0 {
            wrong.push(format!(
                "the shares of the request faults add up to {sum}, above 1: lower one"
            ));
        }
        if wrong.is_empty() { Ok(()) } else { Err(FaultsError(wrong)) }
    }

    /// The fault that this attempt at a text meets. One draw decides between all of them, so that
    /// each has exactly its share; the attempt is part of the draw, so that a retry can succeed.
    pub(crate) fn choose(&self, key: Key, attempt: u32) -> Option<Fault> {
        let unit = key.unit(Purpose::Fault, attempt);
        let mut bound = 0.0;
        self.request_faults().into_iter().find_map(|(fault, share)| {
            bound += share;
            (unit < bound).then_some(fault)
        })
    }

    fn request_faults(&self) -> [(Fault, f64); 5] {
        [
            (Fault::Reset, self.reset_share),
            (Fault::Hang, self.hang_share),
            (Fault::ServerError, self.server_error_share),
            (Fault::TooManyRequests, self.too_many_requests_share),
            (Fault::AcceptThenDrop, self.accept_then_drop_share),
        ]
    }

    fn shares(&self) -> [(&'static str, f64); 9] {
        let Self {
            latency: _,
            server_error_share,
            too_many_requests_share,
            retry_after_seconds: _,
            accept_then_drop_share,
            hang_share,
            reset_share,
            reset_connection_share,
            duplicate_callback_share,
            out_of_order_callback_share,
            blocked_share,
        } = self;
        [
            ("server_error_share", *server_error_share),
            ("too_many_requests_share", *too_many_requests_share),
            ("accept_then_drop_share", *accept_then_drop_share),
            ("hang_share", *hang_share),
            ("reset_share", *reset_share),
            ("reset_connection_share", *reset_connection_share),
            ("duplicate_callback_share", *duplicate_callback_share),
            ("out_of_order_callback_share", *out_of_order_callback_share),
            ("blocked_share", *blocked_share),
        ]
    }
}

pub(super) fn check_share(wrong: &mut Vec<String>, name: &str, share: f64) {
    if !(0.0..=1.0).contains(&share) {
        wrong.push(format!("{name} is {share}; a share lies between 0 and 1"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_its_share_and_a_retry_can_succeed() {
        let faults = Faults {
            reset_share: 0.1,
            hang_share: 0.1,
            server_error_share: 0.1,
            too_many_requests_share: 0.1,
            accept_then_drop_share: 0.1,
            ..Faults::none()
        };
        let count = |wanted: Option<Fault>| {
            (0..10_000u64).filter(|n| faults.choose(Key::of_number(3, *n), 1) == wanted).count()
        };
        for (fault, _) in faults.request_faults() {
            let hits = count(Some(fault));
            assert!((850..1_150).contains(&hits), "{fault:?} came out as {hits} of 10,000");
        }
        let faulty =
            (0..).map(|n| Key::of_number(3, n)).find(|key| faults.choose(*key, 1).is_some());
        let key = faulty.expect("half of them meet a fault");
        assert!((2..20).any(|attempt| faults.choose(key, attempt).is_none()));
    }

    #[test]
    fn all_mistakes_are_named_at_once() {
        let faults =
            Faults { hang_share: 1.5, reset_share: -0.1, latency: Latency::NONE, ..Faults::none() };
        let error = faults.check().unwrap_err().to_string();
        assert!(error.contains("hang_share is 1.5") && error.contains("reset_share is -0.1"));
        assert!(error.contains("add up to 1.4"), "{error}");
        Faults::day().check().unwrap();
    }

    #[test]
    fn json_leaves_out_what_is_zero_and_refuses_what_is_unknown() {
        let faults: Faults =
            serde_json::from_str(r#"{"hang_share":0.5,"latency":"uniform:1:9"}"#).unwrap();
        assert_eq!(faults.hang_share, 0.5);
        assert_eq!(faults.latency, Latency::Uniform { min_ms: 1.0, max_ms: 9.0 });
        assert!(serde_json::from_str::<Faults>(r#"{"hang":0.5}"#).is_err());
    }
}
