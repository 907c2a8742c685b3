//! What the simulator writes down: every accepted text before it answers, and every callback's
//! outcome. The first is the oracle that the laws are judged by.
//!
//! Here belongs what a line says; how it reaches the file is in `lines`. A field may be added
//! with `#[serde(default)]`, never renamed: a run's log outlives the program that wrote it.

use std::path::Path;

use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::fate::{Plan, ReplyKind};
use super::faults::Fault;
use super::lines::{LineReader, LogError};

/// One accepted text. `S` is how it holds its texts: owned when read, borrowed when written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry<S = String> {
    /// Counted from one, without gaps, across restarts.
    pub seq: u64,
    /// `CLOCK_MONOTONIC` of the machine when it was accepted, in nanoseconds.
    pub t_ns: u64,
    /// The machine's wall clock at that moment.
    pub real: Timestamp,
    /// The provider's reference, as answered.
    pub sid: S,
    /// The recipient, E.164.
    pub to: S,
    /// The sender, where one was given.
    pub from: Option<S>,
    /// The text.
    pub body: S,
    /// Where its status is called back: for Punctual it carries practice, message and attempt.
    pub callback: Option<S>,
    /// Which API it came in by.
    pub provider: ProviderKind,
    /// How often this text to this number was asked for, accepted or not, this time included.
    pub attempt: u32,
    /// What was done wrong about it on purpose.
    pub fault: Option<Fault>,
    /// What the provider does about it afterwards.
    pub plan: Plan,
    /// Twilio's messaging service, where it was given in place of a sender.
    pub messaging_service_sid: Option<S>,
    /// The webhook's idempotency key.
    pub idempotency_key: Option<S>,
    /// A hash of the request's body, 16 hexadecimal digits: equal for requests that are equal byte
    /// for byte.
    pub form_digest: S,
}

/// Which of its two faces the simulator showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// Twilio's Messages API.
    Twilio,
    /// The generic signed JSON webhook.
    Webhook,
}

/// One callback that is over: acknowledged, or given up after its last try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackEntry<S = String> {
    /// The accepted text it is about.
    pub seq: u64,
    /// That text's reference.
    pub sid: S,
    /// Its recipient.
    pub to: S,
    /// Which step of the text's plan this is, from zero.
    pub step: u8,
    /// Twilio's word: sent, delivered, undelivered, failed; received for a reply.
    pub status: S,
    /// What was answered, where this is a reply.
    pub reply: Option<ReplyKind>,
    /// Whether it repeats one that was sent anyway.
    pub duplicate: bool,
    /// How it ended.
    pub outcome: CallbackOutcome,
    /// The last answer's status, where there was one.
    pub http_status: Option<u16>,
    /// How often it was tried.
    pub tries: u8,
    /// When it was due, on the clock of `t_ns`.
    pub due_ns: u64,
    /// When it was over: `CLOCK_MONOTONIC` in nanoseconds.
    pub t_ns: u64,
    /// The machine's wall clock at that moment.
    pub real: Timestamp,
}

/// How a callback ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackOutcome {
    /// Answered 2xx.
    Acknowledged,
    /// Never answered 2xx, or there was no room to wait for its time.
    GivenUp,
}

/// A moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) t_ns: u64,
    pub(crate) real: Timestamp,
}

impl Moment {
    /// Now. The only place where the simulator looks at a clock for its logs.
    pub(crate) fn now() -> Self {
        Self { t_ns: monotonic_ns(), real: Timestamp::now() }
    }
}

/// `CLOCK_MONOTONIC` in nanoseconds: the same for all processes of one machine since it booted.
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every system has this clock");
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

/// Reads a log of accepted texts, one at a time: half a million of them need not be in memory.
/// A torn last line is left out.
pub fn read_log(path: &Path) -> Result<LineReader<LogEntry>, LogError> {
    LineReader::open(path)
}

/// Reads a log of callbacks that are over, one at a time.
pub fn read_callback_log(path: &Path) -> Result<LineReader<CallbackEntry>, LogError> {
    LineReader::open(path)
}
