//! What comes back: the providers' receipts and the patients' replies, through one group commit.
//! Both may come twice, late and out of order; recording them again changes nothing.
//!
//! Belongs here: what a receipt or a reply changes. Never here: how a provider spells it
//! (`provider`), HTTP (`endpoints`).

pub(crate) mod keyword;
pub(crate) mod write;

use std::sync::Arc;
use std::time::Instant;

use contract::Stage;
use tokio::sync::oneshot;

pub(crate) use keyword::Keyword;

use crate::commit::{Bounds, GroupCommit, Job};
use crate::db::DbError;
use crate::db::router::carried::{self, Carried};
use crate::ingest::IngestError;
use crate::obs;
use crate::obs::request::{InLine, Scope};
use crate::stages::gate::Gate;
use crate::stages::lockstep::Ran;

/// How far a text got, as the carrier says. A higher one wins, whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Receipt {
    /// It will not arrive.
    Undelivered = 1,
    /// It arrived.
    Delivered = 2,
    /// It was opened.
    Read = 3,
}

impl Receipt {
    /// As it is stored.
    pub(crate) const fn rank(self) -> i16 {
        self as i16
    }
}

/// Something that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// A receipt for a message.
    Receipt {
        /// Whose message.
        practice_id: i64,
        /// Which message.
        message_id: i64,
        /// The provider's name for it.
        provider_ref: String,
        /// How far it got.
        receipt: Receipt,
        /// The provider's reason, where it did not arrive.
        error_code: Option<i32>,
    },
    /// A text from a patient.
    Reply {
        /// To which practice.
        practice_id: i64,
        /// The provider's name for it.
        provider_ref: String,
        /// From which number.
        phone: i64,
        /// What it says, as a keyword if it is one.
        keyword: Keyword,
        /// What it says, cut to what is stored.
        body: String,
    },
}

impl News {
    const fn practice_id(&self) -> i64 {
        match self {
            Self::Receipt { practice_id, .. } | Self::Reply { practice_id, .. } => *practice_id,
        }
    }
}

/// One of them on its way to the database.
pub(crate) struct Item {
    pub(crate) news: News,
    pub(crate) received_at: Instant,
    /// When it was put into the queue.
    pub(crate) queued_at: Instant,
    /// The request that brought it, to be charged for the batch's statements.
    pub(crate) scope: Option<Arc<Scope>>,
    /// What that request carries: told how far the batch got.
    pub(crate) carried: Option<Arc<Carried>>,
    pub(crate) answer: oneshot::Sender<Result<(), DbError>>,
}

/// Two receipts of one message, or one reply twice, never share a batch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Message(i64, i64),
    Reply(i64, String),
    Phone(i64, i64),
}

impl Job for Item {
    type Key = Key;

    fn weight(&self) -> usize {
        1
    }

    fn queued_at(&self) -> Instant {
        self.queued_at
    }

    fn keys(&self) -> impl Iterator<Item = Key> {
        let practice_id = self.news.practice_id();
        let keys = match &self.news {
            News::Receipt { message_id, .. } => {
                [Some(Key::Message(practice_id, *message_id)), None]
            }
            News::Reply { provider_ref, phone, .. } => [
                Some(Key::Reply(practice_id, provider_ref.clone())),
                Some(Key::Phone(practice_id, *phone)),
            ],
        };
        keys.into_iter().flatten()
    }

    fn refused(&self) {
        write::broken_off(&self.news);
    }
}

/// The way in.
pub(crate) struct Receipts {
    queue: GroupCommit<write::Recorder>,
}

impl Receipts {
    /// Starts recording.
    pub(crate) fn start(
        writer: write::Recorder,
        shard_count: i16,
        bounds: Bounds,
        gate: Arc<Gate>,
    ) -> Self {
        Self { queue: GroupCommit::start(writer, shard_count, bounds, gate) }
    }

    /// Records it and returns after the commit.
    pub(crate) async fn record(
        &self,
        shard: i16,
        news: News,
        received_at: Instant,
    ) -> Result<(), IngestError> {
        let (answer, answered) = oneshot::channel();
        let scope = obs::request::current();
        let queued_at = Instant::now();
        let carried = carried::current();
        let item = Item { news, received_at, queued_at, scope, carried, answer };
        self.queue.submit(shard, item)?;
        let line = InLine::since(Stage::Receive, queued_at);
        let recorded = answered.await.map_err(|_dropped| {
            IngestError::Db(DbError::Unavailable("the batch was given up".into()))
        })?;
        line.ended();
        recorded.map_err(IngestError::Db)
    }

    /// How full the queue is, as a ratio.
    pub(crate) fn used_ratio(&self) -> f64 {
        self.queue.used_ratio()
    }

    /// Those that wait to be committed.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Commits what waits while the stage is held, at most about so many.
    pub(crate) async fn by_hand(&self, items_max: usize) -> Ran {
        let (batches, items) = self.queue.by_hand(items_max).await;
        Ran { batches, items, is_idle: self.waiting() == 0 }
    }

    /// When the oldest of them was queued that is not committed.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.queue.oldest()
    }

    /// Waits until everything taken in is committed.
    pub(crate) async fn drained(&self) {
        self.queue.drained().await;
    }
}
