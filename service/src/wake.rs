//! How the stages hear of work: in this process at once, in the others by a debounced notification
//! and, should that get lost, by looking again within a second.
//!
//! Belongs here: which shard has its turn when, and the notifications between processes. Never
//! here: what a turn does (`stages`).
//!
//! A process notifies the others only of shards that it has not dealt with itself for a tenth of a
//! second: whoever made the work usually does it, and a commit that notifies takes a lock that the
//! whole server shares.

pub(crate) mod board;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contract::Query;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::db::listener::Listener;
use crate::db::{Db, DbError};
use board::Board;

/// How often the others are told, at most: ten times a second for each shard.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// Waits between tries to listen again: doubled from the first to the last.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LAST: Duration = Duration::from_secs(5);

/// Which shards have work for which stage.
pub(crate) struct Wake {
    /// Turns of release.
    release: Board,
    /// Turns of claim.
    claim: Board,
    /// Shards of which the others are told at the next beat, unless we have dealt with them.
    untold: Vec<AtomicBool>,
    /// Tells our own notifications from the others'.
    sender: String,
}

impl Wake {
    /// Starts listening and telling; both end when nobody holds the result any more.
    pub(crate) fn start(db: &Db, shard_count: i16) -> Arc<Self> {
        let this = Arc::new(Self::silent(shard_count));
        let (weak, db) = (Arc::downgrade(&this), db.clone());
        tokio::spawn(async move {
            let mut wait = RETRY_FIRST;
            while weak.strong_count() > 0 {
                let began = Instant::now();
                if let Err(error) = exchange(&weak, &db).await {
                    tracing::debug!(%error, "notifications: trying again");
                }
                wait = if began.elapsed() > RETRY_LAST { RETRY_FIRST } else { wait * 2 };
                wait = wait.min(RETRY_LAST);
                sleep(wait).await;
            }
        });
        this
    }

    /// One that neither listens nor tells, for tests and benchmarks.
    pub(crate) fn silent(shard_count: i16) -> Self {
        Self {
            release: Board::new(shard_count),
            claim: Board::new(shard_count),
            untold: (0..shard_count).map(|_| AtomicBool::new(false)).collect(),
            sender: format!("{:016x}", rand::random::<u64>()),
        }
    }

    /// Something is due in a shard, or about to be: release looks at it now.
    pub(crate) fn notify(&self, shard: i16) {
        self.release.advance(shard, Instant::now());
        self.tell(shard, true);
    }

    /// So many more lanes of a shard are ready: claim looks at it now.
    pub(crate) fn ready(&self, shard: i16, lanes: usize) {
        self.claim.add(shard, lanes);
        self.tell(shard, true);
    }

    /// We took all that a shard had: the others need not be told.
    pub(crate) fn dealt_with(&self, shard: i16) {
        self.tell(shard, false);
    }

    /// Everything may have changed: all shards have their turn now.
    pub(crate) fn all(&self) {
        for shard in 0..self.shard_count() {
            self.release.advance(shard, Instant::now());
            self.claim.advance(shard, Instant::now());
        }
    }

    /// Turns of release.
    pub(crate) const fn release(&self) -> &Board {
        &self.release
    }

    /// Turns of claim.
    pub(crate) const fn claim(&self) -> &Board {
        &self.claim
    }

    fn shard_count(&self) -> i16 {
        i16::try_from(self.untold.len()).expect("there are at most 1,024 shards")
    }

    fn tell(&self, shard: i16, is_news: bool) {
        if let Some(flag) = usize::try_from(shard).ok().and_then(|at| self.untold.get(at)) {
            flag.store(is_news, Ordering::Relaxed);
        }
    }

    /// Shards of which the others have to be told.
    fn take_untold(&self) -> Vec<i16> {
        (0..self.shard_count())
            .zip(&self.untold)
            .filter_map(|(shard, flag)| flag.swap(false, Ordering::Relaxed).then_some(shard))
            .collect()
    }

    /// A notification of another process.
    fn heard(&self, payload: &str) {
        let Some((shard, sender)) = payload.split_once(' ') else { return };
        if sender == self.sender {
            return;
        }
        if let Ok(shard) = shard.parse() {
            self.release.advance(shard, Instant::now());
            self.claim.advance(shard, Instant::now());
        }
    }
}

/// Listens and tells on one connection of its own to the server that leads, until it breaks,
/// another one leads or nobody needs it any more.
async fn exchange(wake: &std::sync::Weak<Wake>, db: &Db) -> Result<(), DbError> {
    let moved = db.leader_changed();
    tokio::pin!(moved);
    let mut listener = Listener::connect(&db.leader_settings()?, Query::WakeListen).await?;
    if let Some(wake) = wake.upgrade() {
        wake.all(); // whatever was told while we did not listen
    }
    let mut beat = interval(TELL_EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            payload = listener.next() => {
                let (Some(wake), Some(payload)) = (wake.upgrade(), payload) else { return Ok(()) };
                wake.heard(&payload);
            }
            // Nobody tells anything there any more.
            () = &mut moved => return Ok(()),
            _ = beat.tick() => {
                let Some(wake) = wake.upgrade() else { return Ok(()) };
                let shards = wake.take_untold();
                if !shards.is_empty() {
                    listener.run(Query::WakeNotify, &[&shards, &wake.sender]).await?;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_what_is_left_is_told_and_our_own_words_are_not_heard() {
        let wake = Wake::silent(4);
        wake.notify(1);
        wake.ready(2, 10);
        wake.ready(3, 10);
        wake.dealt_with(2);
        assert_eq!(wake.take_untold(), [1, 3]);
        assert_eq!(wake.take_untold(), [0_i16; 0]);

        // A new board gives every shard one turn; after that only what was heard.
        for _ in 0..4 {
            let turn = wake.claim.take().await;
            turn.done(Instant::now() + Duration::from_secs(60));
        }
        wake.heard(&format!("2 {}", wake.sender));
        wake.heard("nonsense");
        wake.heard("99 other");
        let none = tokio::time::timeout(Duration::from_secs(1), wake.claim.take()).await;
        assert!(none.is_err());
        wake.heard("2 other");
        assert_eq!(wake.claim.take().await.shard, 2);
    }
}
