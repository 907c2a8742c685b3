//! The letters by which the schema tells states apart.
//!
//! Never here: what a state means; the migration's comments say that.

use contract::Fate;

/// A lane from which may be claimed.
pub(super) const LANE_READY: i8 = b'r'.cast_signed();
/// A lane whose head is being delivered.
pub(super) const LANE_LEASED: i8 = b'l'.cast_signed();
/// A lane whose head's fate is being looked up.
pub(super) const LANE_UNRESOLVED: i8 = b'u'.cast_signed();

/// What is known of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessageState {
    Queued,
    Sent,
    Failed,
    Suppressed,
    Expired,
    Ambiguous,
}

impl MessageState {
    /// As it is stored.
    pub(super) const fn stored(self) -> i8 {
        match self {
            Self::Queued => b'q',
            Self::Sent => b's',
            Self::Failed => b'f',
            Self::Suppressed => b'x',
            Self::Expired => b'e',
            Self::Ambiguous => b'a',
        }
        .cast_signed()
    }
}

/// Why a promise isn't kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// The appointment was cancelled.
    Cancelled,
    /// The appointment was moved; its new promise counts by itself.
    Moved,
    /// The recipient wants no texts.
    OptedOut,
    /// Outside production, and not on the allow-list.
    NotAllowed,
    /// The appointment has begun, and others of its text have not.
    Expired,
}

impl Reason {
    /// As it is stored.
    pub(super) const fn stored(self) -> i8 {
        match self {
            Self::Cancelled => b'c',
            Self::Moved => b'm',
            Self::OptedOut => b'o',
            Self::NotAllowed => b'n',
            Self::Expired => b'e',
        }
        .cast_signed()
    }

    /// As it is counted.
    pub(super) const fn fate(self) -> Fate {
        match self {
            Self::Cancelled => Fate::SuppressedCancelled,
            Self::Moved => Fate::SuppressedMoved,
            Self::OptedOut => Fate::SuppressedOptedOut,
            Self::NotAllowed => Fate::SuppressedNotAllowed,
            Self::Expired => Fate::Expired,
        }
    }
}

/// What came of one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TryEnd {
    Sent,
    Transient,
    Failed,
    Ambiguous,
    /// Looked up: the provider never took it.
    NotAccepted,
}

impl TryEnd {
    /// As it is stored.
    pub(super) const fn stored(self) -> i8 {
        match self {
            Self::Sent => b's',
            Self::Transient => b't',
            Self::Failed => b'f',
            Self::Ambiguous => b'a',
            Self::NotAccepted => b'n',
        }
        .cast_signed()
    }
}
