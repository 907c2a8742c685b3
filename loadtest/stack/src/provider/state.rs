//! State: what the simulator has done so far, in counts that tests wait for and people read.
//!
//! Here belong counts alone; whoever does the thing counts it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What the simulator has done since it was started; `messages` alone counts what it reloaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Texts in the log, those of earlier runs included.
    pub messages: u64,
    /// Texts accepted and logged.
    pub accepted: u64,
    /// Webhook requests whose idempotency key had been accepted before.
    pub repeated: u64,
    /// Look-ups answered, of one message or of a list.
    pub looked_up: u64,
    /// Answers by HTTP status.
    pub answered: BTreeMap<u16, u64>,
    /// Texts accepted whose answer was dropped on purpose.
    pub dropped: u64,
    /// Requests that were left hanging on purpose.
    pub hung: u64,
    /// Of those, the ones whose client still waits.
    pub hanging: u64,
    /// Requests whose connection was reset on purpose.
    pub reset: u64,
    /// Connections open now.
    pub connections: u64,
    /// Connections that were reset on purpose as soon as they were open.
    pub connections_reset: u64,
    /// Lines that could not be written; their requests were answered 500.
    pub log_failures: u64,
    /// Status callbacks.
    pub callbacks: CallbackCounts,
    /// Replies by recipients.
    pub replies: ReplyCounts,
}

/// Status callbacks and replies on their way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackCounts {
    /// Waiting for their time or on the wire, replies included. Zero means that nothing more is
    /// coming for what was accepted so far.
    pub pending: u64,
    /// On the wire now.
    pub in_flight: u64,
    /// Status callbacks answered 2xx.
    pub acknowledged: u64,
    /// Status callbacks never answered 2xx.
    pub given_up: u64,
    /// Single tries that failed, replies included.
    pub tries_failed: u64,
    /// Status callbacks and replies sent twice on purpose.
    pub duplicates: u64,
}

/// Replies that are over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyCounts {
    /// Answered 2xx: YES.
    pub yes: u64,
    /// Answered 2xx: NO.
    pub no: u64,
    /// Answered 2xx: STOP.
    pub stop: u64,
    /// Answered 2xx: anything else.
    pub text: u64,
    /// Never answered 2xx.
    pub given_up: u64,
}

impl State {
    /// Answers of one status so far.
    pub fn answered_with(&self, status: u16) -> u64 {
        self.answered.get(&status).copied().unwrap_or_default()
    }
}

impl ReplyCounts {
    /// Replies answered 2xx.
    pub fn acknowledged(&self) -> u64 {
        self.yes + self.no + self.stop + self.text
    }
}
