//! How fresh what a statement reads must be, and the statements that a replica may answer. It is a
//! column of the query table, not read off the SQL.
//!
//! Never here: which server answers; that is the router's.

use crate::for_each_query;
use crate::query::Query;

/// The header in which a writer is told what to show with its reads, and in which it shows it.
pub const READ_AFTER: &str = "read-after";

/// How fresh the data that a statement reads must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// Reads and writes the primary, and can't be sent anywhere else.
    Strong,
    /// A reader that shows the token of its write sees at least that write. Without a token it may
    /// be older, by a few seconds.
    ReadYourWrites,
    /// May be older, by so many seconds.
    BoundedStaleness(u16),
    /// Asks the very server that answers it about itself.
    OfServer,
}

/// How old in seconds a read of one's own writes may be for a reader that shows no token.
pub const STALENESS_WITHOUT_TOKEN_SECONDS: u16 = 10;

impl Consistency {
    /// How old in seconds what is read may be; nothing where that isn't for a replica to answer.
    #[must_use]
    pub const fn staleness_max_seconds(self) -> Option<u16> {
        match self {
            Self::Strong | Self::OfServer => None,
            Self::ReadYourWrites => Some(STALENESS_WITHOUT_TOKEN_SECONDS),
            Self::BoundedStaleness(seconds) => Some(seconds),
        }
    }
}

/// A statement that a replica may answer: those declared `ReadYourWrites` or `BoundedStaleness`,
/// under the same names. One that is declared strong has none, so that asking a replica for it does
/// not compile:
///
/// ```compile_fail,E0599
/// let _ = contract::Read::ShardFloors;
/// ```
///
/// ```
/// assert_eq!(contract::Read::AppointmentRead.query(), contract::Query::AppointmentRead);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Read(Query);

impl Read {
    /// The statement.
    #[must_use]
    pub const fn query(self) -> Query {
        self.0
    }

    /// How old in seconds what it reads may be for a reader without a token.
    #[must_use]
    pub const fn staleness_max_seconds(self) -> u16 {
        match self.0.spec().consistency.staleness_max_seconds() {
            Some(seconds) => seconds,
            None => 0,
        }
    }
}

/// A statement that any server is asked about itself: those declared `OfServer`, under the same
/// names. Nothing else can be asked of a server by its place.
///
/// ```compile_fail,E0599
/// let _ = contract::ServerRead::ShardFloors;
/// ```
///
/// ```
/// assert_eq!(contract::ServerRead::AuditStatements.query(), contract::Query::AuditStatements);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServerRead(Query);

impl ServerRead {
    /// The statement.
    #[must_use]
    pub const fn query(self) -> Query {
        self.0
    }
}

macro_rules! reads {
    ($(
        $help:literal $Variant:ident = $name:ident: $consistency:ident $(($seconds:literal))?,
        $rows:ident, $sharded:literal, [$($Pool:ident),+], $file:literal, $func:literal;
    )+) => {
        #[expect(non_upper_case_globals, reason = "named like the variants that they stand for")]
        impl ServerRead {
            $(reads!(@of_server $consistency $help $Variant);)+
        }

        #[expect(non_upper_case_globals, reason = "named like the variants that they stand for")]
        impl Read {
            $(reads!(@one $consistency $help $Variant);)+

            /// Every one of them, in the order of the table.
            pub const ALL: &'static [Self] = &{
                let mut all = [Self(Query::ShardFloors); Self::COUNT];
                let (mut from, mut to) = (0, 0);
                while from < Query::COUNT {
                    let query = Query::ALL[from];
                    if query.spec().consistency.staleness_max_seconds().is_some() {
                        all[to] = Self(query);
                        to += 1;
                    }
                    from += 1;
                }
                all
            };
            const COUNT: usize = {
                let (mut from, mut count) = (0, 0);
                while from < Query::COUNT {
                    if Query::ALL[from].spec().consistency.staleness_max_seconds().is_some() {
                        count += 1;
                    }
                    from += 1;
                }
                count
            };
        }
    };
    (@one Strong $help:literal $Variant:ident) => {};
    (@one OfServer $help:literal $Variant:ident) => {};
    (@one ReadYourWrites $help:literal $Variant:ident) => {
        reads!(@named $help $Variant);
    };
    (@one BoundedStaleness $help:literal $Variant:ident) => {
        reads!(@named $help $Variant);
    };
    (@of_server OfServer $help:literal $Variant:ident) => {
        reads!(@named $help $Variant);
    };
    (@of_server $other:ident $help:literal $Variant:ident) => {};
    (@named $help:literal $Variant:ident) => {
        #[doc = $help]
        pub const $Variant: Self = Self(Query::$Variant);
    };
}

for_each_query!(reads);
