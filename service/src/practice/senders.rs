//! Whose number a patient has texted: a small bounded memory before a small table.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use contract::{Limit, Pool, Query};

use crate::db::{Db, DbError};
use crate::obs;

/// A number changes hands rarely; a wrong owner would show a patient's reply to a stranger, so it
/// is asked again after a minute.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// The sender numbers in memory.
pub(crate) struct Senders {
    db: Db,
    room: usize,
    known: Mutex<HashMap<i64, (Instant, i64)>>,
}

impl Senders {
    /// An empty memory with room for so many.
    pub(crate) fn new(db: Db, room: usize) -> Self {
        Self { db, room, known: Mutex::default() }
    }

    /// The practice that sends from this number.
    pub(crate) async fn find(&self, sender: i64) -> Result<Option<i64>, DbError> {
        if let Some((at, practice_id)) = self.known().get(&sender)
            && at.elapsed() < KEPT_FOR
        {
            return Ok(Some(*practice_id));
        }
        let conn = self.db.get(Pool::Interactive).await?;
        let row = conn.row_opt(Query::SenderRead, &[&sender]).await?;
        drop(conn);
        let Some(row) = row else { return Ok(None) };
        let practice_id: i64 = row.get(0);
        let mut known = self.known();
        if known.len() >= self.room {
            known.clear();
        }
        known.insert(sender, (Instant::now(), practice_id));
        obs::limit::used(Limit::SenderCache, known.len() as f64 / self.room.max(1) as f64);
        Ok(Some(practice_id))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<i64, (Instant, i64)>> {
        self.known.lock().expect("no code panics while it holds the senders")
    }
}
