//! Appointments while a plan is made: their versions over the day, and who shares a phone.
//!
//! Never here: what they look like on the wire (`output.rs`).

use super::model::{Accepted, Terms};

const NANOS: u64 = 1_000_000_000;

/// A version of an appointment, from when on it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    /// Domain nanoseconds from the origin; `None` is imported before.
    pub(crate) arrives_ns: Option<u64>,
    /// Days after the replayed one.
    pub(crate) day: i16,
    /// Local minute.
    pub(crate) minute: u16,
    pub(crate) name: u16,
    pub(crate) instructions: u8,
    pub(crate) how: How,
}

/// How a version comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Booked or changed by an upsert.
    Booked,
    /// Cancelled by an upsert with that status.
    CancelledByUpsert,
    /// Cancelled by the call, which names the version or doesn't.
    CancelledByCall {
        /// Whether it does.
        versioned: bool,
    },
}

impl Version {
    /// When the service takes it in.
    pub(crate) fn accepted(&self, terms: &Terms<'_>) -> Accepted {
        self.arrives().map_or(Accepted::IMPORTED, |at| terms.accepted(at))
    }

    /// Whole seconds from the origin.
    pub(crate) fn arrives(&self) -> Option<i32> {
        // A window is at most a day.
        self.arrives_ns.map(|ns| (ns / NANOS) as i32)
    }

    pub(crate) fn cancelled(&self) -> bool {
        match self.how {
            How::Booked => false,
            How::CancelledByUpsert | How::CancelledByCall { .. } => true,
        }
    }
}

/// A patient's appointment with all that happens to it.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) versions: Vec<Version>,
    /// Versions that arrive once more: index and arrival.
    pub(crate) again: Vec<(u8, u64)>,
}

/// Patients behind one phone.
#[derive(Debug)]
pub(crate) struct Household {
    pub(crate) phone: u64,
    pub(crate) patients: u32,
    pub(crate) drafts: Vec<Draft>,
}
