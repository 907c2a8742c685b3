//! Why a read went where it went: the closed set behind the `reason` of a route.
//!
//! Of the reasons for which a replica isn't read, later rows are nearer to one that is. Never here:
//! the choice itself; that is the router's.

use crate::table::{is_snake_case, table};

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// Where the read went.
    pub target: Target,
}

/// Where a read went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// To the primary.
    Primary,
    /// To a replica.
    Replica,
    /// Nowhere: it was answered 503.
    Nobody,
}

impl Target {
    /// The label value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
            Self::Nobody => "nobody",
        }
    }
}

table! {
    /// Why a read went where it went.
    pub enum RouteReason: Spec;

    /// No replica is configured, or the only other server leads.
    NoReplica = no_replica { target: Target::Primary, }
    /// No replica has been looked at lately.
    Unseen = unseen { target: Target::Primary, }
    /// The replica was promoted: it is none any more.
    Promoted = promoted { target: Target::Primary, }
    /// The replica, or the token, belongs to another timeline or another database.
    OtherHistory = other_history { target: Target::Primary, }
    /// The replica receives no log.
    Disconnected = disconnected { target: Target::Primary, }
    /// The replica failed several times in a row and is left alone for a while.
    BreakerOpen = breaker_open { target: Target::Primary, }
    /// The replica is further behind than the read allows.
    Lagging = lagging { target: Target::Primary, }
    /// The replica has not replayed the write that the reader has made.
    Behind = behind { target: Target::Primary, }
    /// The replica has no connection free.
    Busy = busy { target: Target::Primary, }
    /// The replica's replay cancelled the statement.
    Conflict = conflict { target: Target::Primary, }
    /// The replica went away, or did not answer in time.
    Broken = broken { target: Target::Primary, }

    /// The replica is fresh enough.
    Fresh = fresh { target: Target::Replica, }
    /// The replica has what the reader has written.
    CaughtUp = caught_up { target: Target::Replica, }
    /// The replica had it after a short wait.
    Waited = waited { target: Target::Replica, }
    /// There is no primary that anything newer could come from.
    PrimaryLost = primary_lost { target: Target::Replica, }

    /// Too much had fallen back to the primary already.
    Shed = shed { target: Target::Nobody, }
}

// A silly row does not compile.
const _: () = {
    let mut i = 0;
    while i < RouteReason::COUNT {
        assert!(is_snake_case(RouteReason::ALL[i].name()), "a reason's name is snake_case");
        i += 1;
    }
};
