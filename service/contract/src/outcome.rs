//! The few ways in which a request, a statement, a delivery or a promise can end, and the laws that
//! an audit checks: the closed sets behind every `outcome`, `fate` and `law` label.
//!
//! Never here: an error's cause; that is the log's.

macro_rules! outcomes {
    ($(#[$doc:meta])* pub enum $Enum:ident { $( $(#[$row:meta])* $Variant:ident = $name:literal, )+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $Enum { $( $(#[$row])* $Variant, )+ }

        impl $Enum {
            /// Every row, in the order of the table.
            pub const ALL: &'static [Self] = &[ $( Self::$Variant, )+ ];
            /// How many rows there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The label value.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$Variant => $name, )+ }
            }

            /// Position in the table, for arrays with one cell a row.
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

outcomes! {
    /// How a request ended.
    pub enum RequestOutcome {
        /// 2xx or 3xx.
        Ok = "ok",
        /// 4xx: the caller has to change something.
        Rejected = "rejected",
        /// 503 because something was full or away: try again later.
        Shed = "shed",
        /// 5xx by our fault.
        Failed = "failed",
        /// The caller went away before the last byte.
        Aborted = "aborted",
    }
}

outcomes! {
    /// How a statement ended.
    pub enum QueryOutcome {
        /// It did what it says.
        Ok = "ok",
        /// The server refused it (constraint, deadlock).
        Error = "error",
        /// It was given up at its own deadline or at that of its request.
        Timeout = "timeout",
        /// The connection broke.
        Disconnected = "disconnected",
        /// It was given up because nobody waited for it any more: who asked had left, or had an
        /// answer without it.
        Cancelled = "cancelled",
    }
}

outcomes! {
    /// How one try at the provider ended.
    pub enum DeliveryOutcome {
        /// The provider accepted it.
        Sent = "sent",
        /// Not accepted, may be tried again: refused connection, 429, 5xx with a full answer.
        Transient = "transient",
        /// Refused for good.
        Failed = "failed",
        /// The answer was lost; it may or may not have been accepted.
        Ambiguous = "ambiguous",
    }
}

outcomes! {
    /// What became of a promise. `tally.fate` stores the index, so rows are only ever added at the end.
    pub enum Fate {
        /// Promised: the sum that all the others must make.
        Expected = "expected",
        /// Accepted by the provider.
        Sent = "sent",
        /// Not sent because the appointment was cancelled in time.
        SuppressedCancelled = "suppressed_cancelled",
        /// Not sent because the appointment was moved in time; its new promise counts by itself.
        SuppressedMoved = "suppressed_moved",
        /// Not sent because the recipient opted out.
        SuppressedOptedOut = "suppressed_opted_out",
        /// Not sent because the number is not on the allow-list outside production.
        SuppressedNotAllowed = "suppressed_not_allowed",
        /// Refused by the provider for good.
        Failed = "failed",
        /// Its appointment began before it could be sent.
        Expired = "expired",
        /// A delivery whose answer was lost and is not yet known.
        Ambiguous = "ambiguous",
        /// The carrier confirmed the delivery (a part of sent).
        Delivered = "delivered",
        /// The carrier could not deliver it (a part of sent).
        Undelivered = "undelivered",
        /// The patient answered (a part of sent).
        Replied = "replied",
        /// The patient's last answer was yes (a part of replied).
        Confirmed = "confirmed",
    }
}

outcomes! {
    /// How a promise is out of order, or how those of a day and rule are counted, or that a practice's
    /// can't be known.
    pub enum ResidualKind {
        /// Appointment and rule promise it, and it isn't planned, or the provider doesn't list its text.
        Missing = "missing",
        /// It is planned, and nothing promises it, or it is planned twice, or the provider took a text that is not known here.
        Surplus = "surplus",
        /// Its appointment has begun, and it still waits.
        Unfinished = "unfinished",
        /// Those of a practice, day and rule are counted otherwise than they are: expected isn't the sum of what became of them and what waits, or one of these isn't right.
        Unbalanced = "unbalanced",
        /// A practice at which nobody can look: the server can't compute with what is stored of it.
        Uncompared = "uncompared",
    }
}

outcomes! {
    /// A law that an audit checks, by what it is about.
    pub enum Law {
        /// Law 1: what was expected is what became of it and what waits.
        Conservation = "conservation",
        /// Law 2: no text leaves twice without that being known.
        Duplicates = "duplicates",
        /// Law 3: a recipient's texts leave one after the other.
        Order = "order",
        /// Law 4: what was cancelled in time never leaves.
        Cancelled = "cancelled",
        /// Law 7: one text a group and generation.
        Groups = "groups",
        /// Law 12: every statement has a name.
        Statements = "statements",
    }
}

impl Law {
    /// Its number among the laws.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Conservation => 1,
            Self::Duplicates => 2,
            Self::Order => 3,
            Self::Cancelled => 4,
            Self::Groups => 7,
            Self::Statements => 12,
        }
    }
}

impl Fate {
    /// True for the fates that, with those still pending, add up to what was expected.
    #[must_use]
    pub const fn ends_a_promise(self) -> bool {
        match self {
            Self::Sent
            | Self::SuppressedCancelled
            | Self::SuppressedMoved
            | Self::SuppressedOptedOut
            | Self::SuppressedNotAllowed
            | Self::Failed
            | Self::Expired
            | Self::Ambiguous => true,
            Self::Expected
            | Self::Delivered
            | Self::Undelivered
            | Self::Replied
            | Self::Confirmed => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_fates_keep_their_numbers() {
        let numbers: Vec<_> = Fate::ALL.iter().map(|f| (f.index(), f.name())).collect();
        assert_eq!(numbers[0], (0, "expected"));
        assert_eq!(numbers[1], (1, "sent"));
        assert_eq!(numbers[8], (8, "ambiguous"));
        assert_eq!(numbers[11], (11, "replied"));
        assert_eq!(numbers[12], (12, "confirmed"));
    }
}
