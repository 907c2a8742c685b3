//! Whose number a patient has texted: a small bounded memory before a small table. A number that a
//! practice no longer sends from stays its own there, until another practice takes it.

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
    memory: Memory,
}

impl Senders {
    /// An empty memory with room for so many.
    pub(crate) fn new(db: Db, room: usize) -> Self {
        Self { db, memory: Memory { room, known: Mutex::default() } }
    }

    /// The practice that sends from this number, or did last.
    pub(crate) async fn find(&self, sender: i64) -> Result<Option<i64>, DbError> {
        if let Some(practice_id) = self.memory.find(sender, Instant::now()) {
            return Ok(Some(practice_id));
        }
        let conn = self.db.get(Pool::Interactive).await?;
        let row = conn.row_opt(Query::SenderRead, &[&sender]).await?;
        drop(conn);
        let Some(row) = row else { return Ok(None) };
        let practice_id: i64 = row.get(0);
        self.memory.put(sender, practice_id, Instant::now());
        Ok(Some(practice_id))
    }

    /// A practice sends from this number from now on; it may have been another's before.
    pub(crate) fn remember(&self, sender: i64, practice_id: i64) {
        self.memory.put(sender, practice_id, Instant::now());
    }
}

struct Memory {
    room: usize,
    known: Mutex<HashMap<i64, (Instant, i64)>>,
}

impl Memory {
    fn find(&self, sender: i64, now: Instant) -> Option<i64> {
        let (at, practice_id) = *self.known().get(&sender)?;
        (now.saturating_duration_since(at) < KEPT_FOR).then_some(practice_id)
    }

    fn put(&self, sender: i64, practice_id: i64, now: Instant) {
        let mut known = self.known();
        if known.len() >= self.room && !known.contains_key(&sender) {
            known.clear();
        }
        known.insert(sender, (now, practice_id));
        obs::limit::used(Limit::SenderCache, known.len() as f64 / self.room.max(1) as f64);
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<i64, (Instant, i64)>> {
        self.known.lock().expect("no code panics while it holds the senders")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(room: usize) -> Memory {
        Memory { room, known: Mutex::default() }
    }

    #[test]
    fn what_is_known_is_bounded() {
        let memory = memory(3);
        let now = Instant::now();
        for sender in 1..=100 {
            memory.put(sender, 7, now);
            assert!(memory.known().len() <= 3, "{sender}");
            assert_eq!(memory.find(sender, now), Some(7));
        }
        // What is known already takes no more room, and costs the others nothing.
        let before = memory.known().len();
        for _ in 0..3 {
            memory.put(100, 8, now);
        }
        assert_eq!(memory.find(100, now), Some(8));
        assert_eq!(memory.known().len(), before);
    }

    #[test]
    fn an_owner_is_believed_for_a_minute() {
        let memory = memory(3);
        let start = Instant::now();
        memory.put(1, 7, start);
        assert_eq!(memory.find(1, start + KEPT_FOR - Duration::from_secs(1)), Some(7));
        assert_eq!(memory.find(1, start + KEPT_FOR), None);
        assert_eq!(memory.find(2, start), None);
    }
}
