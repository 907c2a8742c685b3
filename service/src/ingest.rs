//! Taking appointments in: upserts, cancellations and replans go through one group commit, and
//! each of them plans its own reminders in the transaction that stores it.
//!
//! Belongs here: what becomes of an appointment and of the intents it had. Never here: what a rule
//! means (`plan`), HTTP (`endpoints`), what happens to an intent once it is due (`stages`).

pub(crate) mod decide;
mod read;
mod rows;
pub(crate) mod write;

use std::sync::Arc;
use std::time::Instant;

use contract::{Limit, Stage};
use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::commit::{Bounds, Full, GroupCommit, Job};
use crate::db::DbError;
use crate::db::router::carried::{self, Carried};
use crate::obs;
use crate::obs::request::{InLine, Scope};
use crate::practice::Revision;
use crate::stages::gate::Gate;
use crate::stages::lockstep::Ran;

/// The highest version of an appointment: what JSON's numbers can tell apart everywhere. The table
/// takes no higher one.
pub(crate) const VERSION_MAX: i64 = 9_007_199_254_740_991;

/// An appointment as a client states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Appointment {
    /// The client's name for it.
    pub(crate) appointment_id: String,
    /// Higher is newer.
    pub(crate) version: i64,
    /// When it begins.
    pub(crate) starts_at: Timestamp,
    /// Whom to remind.
    pub(crate) phone: i64,
    /// As texts address the patient; may be empty.
    pub(crate) patient_name: String,
    /// What to bring or to mind; may be empty.
    pub(crate) instructions: String,
    /// It will not take place.
    pub(crate) cancelled: bool,
}

/// What is to be done with an appointment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Store this version if it is newer than what is known, and plan it.
    Upsert(Appointment),
    /// Cancel what is known, as this version or as the next one, where there is one.
    Cancel {
        /// Which appointment.
        appointment_id: String,
        /// The version of the cancellation; if not given the known one's successor, or the highest.
        version: Option<i64>,
    },
    /// Plan what is known again: under the practice's newest revision, or because its day has come
    /// inside the horizon.
    Replan {
        /// Which appointment.
        appointment_id: String,
    },
}

impl Change {
    /// Which appointment it is about.
    pub(crate) fn appointment_id(&self) -> &str {
        match self {
            Self::Upsert(appointment) => &appointment.appointment_id,
            Self::Cancel { appointment_id, .. } | Self::Replan { appointment_id } => appointment_id,
        }
    }
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    /// In short.
    pub(crate) outcome: Outcome,
    /// The version that holds now.
    pub(crate) version: i64,
    /// Reminders that are planned for it now.
    pub(crate) planned: usize,
    /// What the change stopped or came too late for.
    pub(crate) stopped: Vec<Stopped>,
}

/// What became of a change, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is stored.
    Stored,
    /// The same version was known already; what is to be cancelled was cancelled.
    Unchanged,
    /// The same version is known, and says something else.
    Conflict,
    /// A newer version was known already.
    Superseded,
    /// There is no such appointment to cancel or replan.
    Unknown,
}

/// A reminder that a cancellation or a move met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stopped {
    /// Under which rule.
    pub(crate) rule_id: i16,
    /// The text that it had become, if it had.
    pub(crate) message_id: Option<i64>,
    /// When it was due.
    pub(crate) due_at: Timestamp,
    /// True: it will not leave. False: it has left or may be leaving.
    pub(crate) in_time: bool,
}

/// Changes of one practice, committed together.
pub(crate) struct Work {
    /// Under which its appointments are planned.
    pub(crate) revision: Arc<Revision>,
    /// No appointment twice.
    pub(crate) changes: Vec<Change>,
    /// When the request arrived.
    pub(crate) received_at: Instant,
    /// When they were put into the queue.
    pub(crate) queued_at: Instant,
    /// The request that brought them, to be charged for the batch's statements.
    pub(crate) scope: Option<Arc<Scope>>,
    /// What that request carries: told how far the batch got.
    pub(crate) carried: Option<Arc<Carried>>,
    /// Where the caller waits, in the order of the changes.
    pub(crate) answer: oneshot::Sender<Result<Vec<Done>, DbError>>,
}

impl Job for Work {
    type Key = (i64, String);

    fn weight(&self) -> usize {
        self.changes.len()
    }

    fn queued_at(&self) -> Instant {
        self.queued_at
    }

    fn keys(&self) -> impl Iterator<Item = Self::Key> {
        let practice_id = self.revision.practice_id;
        self.changes.iter().map(move |change| (practice_id, change.appointment_id().to_owned()))
    }

    fn refused(&self) {
        write::broken_off(&self.changes);
    }
}

/// Why changes were not made.
#[derive(Debug, Clone)]
pub(crate) enum IngestError {
    /// Too much is waiting already: shed.
    Full,
    /// The database did not take them.
    Db(DbError),
}

impl From<Full> for IngestError {
    fn from(Full: Full) -> Self {
        obs::limit::reached(Limit::CommitQueue);
        Self::Full
    }
}

/// The way in.
pub(crate) struct Ingest {
    queue: GroupCommit<write::Ingester>,
}

impl Ingest {
    /// Starts taking in.
    pub(crate) fn start(
        writer: write::Ingester,
        shard_count: i16,
        bounds: Bounds,
        gate: Arc<Gate>,
    ) -> Self {
        Self { queue: GroupCommit::start(writer, shard_count, bounds, gate) }
    }

    /// Makes changes to one practice's appointments (none of them twice) and returns what became
    /// of each, after the commit.
    pub(crate) async fn apply(
        &self,
        shard: i16,
        revision: Arc<Revision>,
        changes: Vec<Change>,
        received_at: Instant,
    ) -> Result<Vec<Done>, IngestError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let (answer, answered) = oneshot::channel();
        let scope = obs::request::current();
        let queued_at = Instant::now();
        let carried = carried::current();
        let work = Work { revision, changes, received_at, queued_at, scope, carried, answer };
        self.queue.submit(shard, work)?;
        let line = InLine::since(Stage::Plan, queued_at);
        let done = answered.await.map_err(|_dropped| {
            IngestError::Db(DbError::Unavailable("the batch was given up".into()))
        })?;
        line.ended();
        done.map_err(IngestError::Db)
    }

    /// How full the queue is, as a ratio.
    pub(crate) fn used_ratio(&self) -> f64 {
        self.queue.used_ratio()
    }

    /// Changes that wait to be committed.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Commits what waits while the stage is held, at most about so many.
    pub(crate) async fn by_hand(&self, items_max: usize) -> Ran {
        let (batches, items) = self.queue.by_hand(items_max).await;
        Ran { batches, items, is_idle: self.waiting() == 0 }
    }

    /// When the oldest change was queued that is not committed.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.queue.oldest()
    }

    /// Waits until everything taken in is committed.
    pub(crate) async fn drained(&self) {
        self.queue.drained().await;
    }
}
