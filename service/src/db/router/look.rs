//! One look at one server: what it said of itself, in which role, and when.
//!
//! Never here: what follows from it (`view`), or how it is asked (`monitor`).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::PgLsn;

use super::token::History;

/// What a server said of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Look {
    /// When the question was asked: what was seen is at least as new.
    pub(crate) at: Instant,
    /// When its server was started: two names that say the same lead to one server.
    pub(crate) started: Timestamp,
    /// Which line of events it is on.
    pub(crate) history: History,
    /// A primary's newest position in its log; a replica's newest that can be read there.
    pub(crate) lsn: u64,
    /// The server's own time.
    pub(crate) clock: Timestamp,
    /// The newest heartbeat that can be read there; none before the first one.
    pub(crate) beat: Option<Timestamp>,
    /// What it is.
    pub(crate) role: Role,
}

/// What a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Takes writes.
    Primary,
    /// Follows a primary.
    Replica {
        /// How the log comes in.
        feed: Feed,
    },
}

/// What is known of a replica's receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feed {
    /// It streams, and heard of the primary so long ago.
    Heard(Duration),
    /// Nothing streams.
    Gone,
    /// Our role may not see it: the heartbeats have to tell.
    Hidden,
}

impl Look {
    /// Reads the answer of `server_look` to a question that was asked at `at`; the heartbeat is
    /// another one.
    ///
    /// # Errors
    /// Whatever answers there is not what is expected.
    pub(super) fn of(row: &Row, at: Instant) -> Result<Self, tokio_postgres::Error> {
        let is_replica: bool = row.try_get("in_recovery")?;
        let silent: Option<f64> = row.try_get("receiver_silent_seconds")?;
        let feed = match silent.map(|s| Duration::try_from_secs_f64(s.max(0.0))) {
            Some(Ok(ago)) => Feed::Heard(ago),
            Some(Err(_)) | None if row.try_get("sees_receiver")? => Feed::Gone,
            Some(Err(_)) | None => Feed::Hidden,
        };
        Ok(Self {
            at,
            started: row.try_get("started")?,
            history: History {
                system: row.try_get::<_, i64>("system")?.cast_unsigned(),
                timeline: row.try_get::<_, i32>("timeline")?.cast_unsigned(),
            },
            lsn: row.try_get::<_, PgLsn>("lsn")?.into(),
            clock: row.try_get("clock")?,
            beat: None,
            role: if is_replica { Role::Replica { feed } } else { Role::Primary },
        })
    }

    /// The server's time now, if its clock and ours run alike since the look.
    pub(super) fn clock_at(&self, now: Instant) -> Timestamp {
        let passed = now.saturating_duration_since(self.at);
        let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
        self.clock.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// Whether it takes writes.
    pub(super) const fn is_primary(&self) -> bool {
        match self.role {
            Role::Primary => true,
            Role::Replica { .. } => false,
        }
    }
}
