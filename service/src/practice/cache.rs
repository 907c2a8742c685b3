//! The bounded memory of practices. A stated revision is kept for as long as there is room; the
//! newest one is asked for again after a second, so that other processes' changes are seen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use contract::{Limit, Pool, shard_of};

use super::{Revision, store};
use crate::db::{Db, DbError};
use crate::obs;

/// How long the newest revision is taken to be the newest. An appointment planned under the one
/// before it within that second is planned again by the replan stage, which the change started.
const NEWEST_FOR: Duration = Duration::from_secs(1);

/// The practices in memory.
pub(crate) struct Practices {
    db: Db,
    shard_count: i16,
    room: usize,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    newest: HashMap<i64, (Instant, Option<Arc<Revision>>)>,
    revisions: HashMap<(i64, i32), Arc<Revision>>,
}

impl Practices {
    /// An empty memory with room for so many.
    pub(crate) fn new(db: Db, shard_count: i16, room: usize) -> Self {
        Self { db, shard_count, room, known: Mutex::default() }
    }

    /// The shard of a practice.
    pub(crate) const fn shard(&self, practice_id: i64) -> i16 {
        shard_of(practice_id, self.shard_count)
    }

    /// How many shards there are.
    pub(crate) const fn shard_count(&self) -> i16 {
        self.shard_count
    }

    /// The newest revision, at most a second old.
    pub(crate) async fn get(&self, practice_id: i64) -> Result<Option<Arc<Revision>>, DbError> {
        if let Some((at, newest)) = self.known().newest.get(&practice_id)
            && at.elapsed() < NEWEST_FOR
        {
            return Ok(newest.clone());
        }
        let asked_at = Instant::now();
        let conn = self.db.get(Pool::Interactive).await?;
        let read = store::read(&conn, self.shard(practice_id), practice_id).await?;
        drop(conn);
        let newest = read.map(Arc::new);
        let mut known = self.known();
        if let Some(revision) = &newest {
            make_room(&mut known.revisions, self.room);
            known.revisions.insert((practice_id, revision.revision), Arc::clone(revision));
        }
        make_room(&mut known.newest, self.room);
        known.newest.insert(practice_id, (asked_at, newest.clone()));
        obs::limit::used(Limit::PracticeCache, ratio(known.newest.len(), self.room));
        Ok(newest)
    }

    /// A stated revision, of which an appointment or a message says that it exists.
    pub(crate) async fn revision(
        &self,
        practice_id: i64,
        revision: i32,
    ) -> Result<Arc<Revision>, DbError> {
        if let Some(found) = self.known().revisions.get(&(practice_id, revision)) {
            return Ok(Arc::clone(found));
        }
        let conn = self.db.get(Pool::Interactive).await?;
        let shard = self.shard(practice_id);
        let read = store::read_revision(&conn, shard, practice_id, revision).await?;
        drop(conn);
        let found = Arc::new(read.ok_or_else(|| DbError::Refused {
            query: contract::Query::PracticeRevisionRead.name(),
            code: "client".into(),
            message: format!("practice {practice_id} has no revision {revision}"),
        })?);
        let mut known = self.known();
        make_room(&mut known.revisions, self.room);
        known.revisions.insert((practice_id, revision), Arc::clone(&found));
        Ok(found)
    }

    /// Takes a change of this process's own into memory at once.
    pub(crate) fn remember(&self, revision: Revision) {
        let revision = Arc::new(revision);
        let id = revision.practice_id;
        let mut known = self.known();
        make_room(&mut known.revisions, self.room);
        known.revisions.insert((id, revision.revision), Arc::clone(&revision));
        make_room(&mut known.newest, self.room);
        known.newest.insert(id, (Instant::now(), Some(revision)));
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().expect("no code panics while it holds the practices")
    }
}

/// Forgets an eighth when full: any of them can be read again.
fn make_room<K: Clone + std::hash::Hash + Eq, V>(map: &mut HashMap<K, V>, room: usize) {
    if map.len() >= room.max(1) {
        let victims: Vec<K> = map.keys().take(room.div_ceil(8).max(1)).cloned().collect();
        for key in victims {
            map.remove(&key);
        }
    }
}

fn ratio(used: usize, room: usize) -> f64 {
    used as f64 / room.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_stays_bounded() {
        let mut map = HashMap::new();
        for n in 0..10_000 {
            make_room(&mut map, 100);
            map.insert(n, ());
            assert!(map.len() <= 100);
        }
    }
}
