//! The bounded memory of practices. A stated revision is kept for as long as there is room; which
//! one is the newest is asked again after a second, so that other processes' changes are seen: in
//! one statement for all practices of the shard that were asked for meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use contract::{Limit, Pool, Query, shard_of};

use super::{Revision, store};
use crate::db::router::carried;
use crate::db::{Db, DbError};
use crate::obs;

/// How long the newest revision is taken to be the newest. An appointment planned under the one
/// before it within that second is planned again by the replan stage, which the change started.
const NEWEST_FOR: Duration = Duration::from_secs(1);

/// What is remembered was asked for too long ago.
struct Outdated;

/// The practices in memory.
pub(crate) struct Practices {
    db: Db,
    shard_count: i16,
    room: usize,
    known: Mutex<Known>,
    /// By shard: one asks for all.
    refreshing: Vec<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Known {
    newest: HashMap<i64, Newest>,
    revisions: HashMap<(i64, i32), Arc<Revision>>,
}

/// What was the newest when it was last asked; none where there was no such practice.
struct Newest {
    asked_at: Instant,
    revision: Option<Arc<Revision>>,
    /// Somebody asked for it since.
    is_wanted: bool,
}

impl Newest {
    fn new(asked_at: Instant, revision: Option<Arc<Revision>>) -> Self {
        Self { asked_at, revision, is_wanted: false }
    }

    fn number(&self) -> Option<i32> {
        self.revision.as_ref().map(|revision| revision.revision)
    }
}

impl Practices {
    /// An empty memory with room for so many.
    pub(crate) fn new(db: Db, shard_count: i16, room: usize) -> Self {
        let refreshing = (0..shard_count.max(1)).map(|_| tokio::sync::Mutex::default()).collect();
        Self { db, shard_count, room, known: Mutex::default(), refreshing }
    }

    /// The shard of a practice.
    pub(crate) const fn shard(&self, practice_id: i64) -> i16 {
        shard_of(practice_id, self.shard_count)
    }

    /// How many shards there are.
    pub(crate) const fn shard_count(&self) -> i16 {
        self.shard_count
    }

    /// The newest revision, at most a second old. That there is none is not believed for a caller
    /// who has written: it may have made the practice through another process.
    pub(crate) async fn get(&self, practice_id: i64) -> Result<Option<Arc<Revision>>, DbError> {
        match self.remembered(practice_id) {
            Some(Ok(None)) if carried::shows_token() => {}
            Some(Ok(newest)) => return Ok(newest),
            Some(Err(Outdated)) => {
                if let Some(newest) = self.refreshed(practice_id).await? {
                    return Ok(newest);
                }
            }
            None => {}
        }
        self.read(practice_id).await
    }

    /// The newest revision, as it is stored now.
    pub(crate) async fn read(&self, practice_id: i64) -> Result<Option<Arc<Revision>>, DbError> {
        let asked_at = Instant::now();
        let conn = self.db.get(Pool::Interactive).await?;
        let read = store::read(&conn, self.shard(practice_id), practice_id).await?;
        drop(conn);
        let newest = read.map(Arc::new);
        self.keep(practice_id, Newest::new(asked_at, newest.clone()));
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
            query: Query::PracticeRevisionRead.name(),
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
        let id = revision.practice_id;
        self.keep(id, Newest::new(Instant::now(), Some(Arc::new(revision))));
    }

    /// Keeps what is the newest, and that revision by its number.
    fn keep(&self, practice_id: i64, newest: Newest) {
        let mut known = self.known();
        if let Some(revision) = &newest.revision {
            make_room(&mut known.revisions, self.room);
            known.revisions.insert((practice_id, revision.revision), Arc::clone(revision));
        }
        make_room(&mut known.newest, self.room);
        known.newest.insert(practice_id, newest);
        self.tell(&known);
    }

    /// States how full it is, whenever that has changed.
    fn tell(&self, known: &Known) {
        obs::limit::used(Limit::PracticeCache, ratio(known.newest.len(), self.room));
    }

    /// What is remembered of a practice, if anything is and it is not too old.
    fn remembered(&self, practice_id: i64) -> Option<Result<Option<Arc<Revision>>, Outdated>> {
        let mut known = self.known();
        let newest = known.newest.get_mut(&practice_id)?;
        newest.is_wanted = true;
        let is_fresh = newest.asked_at.elapsed() < NEWEST_FOR;
        Some(if is_fresh { Ok(newest.revision.clone()) } else { Err(Outdated) })
    }

    /// Asks for a practice that is remembered for too long, with all others of its shard; none if
    /// it changed meanwhile and must be read anew.
    async fn refreshed(&self, practice_id: i64) -> Result<Option<Option<Arc<Revision>>>, DbError> {
        let shard = self.shard(practice_id);
        let at = usize::try_from(shard).unwrap_or_default();
        let turn = self.refreshing[at].lock().await;
        if let Some(Ok(newest)) = self.remembered(practice_id) {
            return Ok(Some(newest)); // whoever was before us asked for it
        }
        self.refresh(shard).await?;
        drop(turn);
        Ok(self.remembered(practice_id).and_then(Result::ok))
    }

    async fn refresh(&self, shard: i16) -> Result<(), DbError> {
        let wanted: Vec<i64> = {
            let known = self.known();
            let wanted = known.newest.iter().filter(|(_, newest)| newest.is_wanted);
            wanted.map(|(id, _)| *id).filter(|id| self.shard(*id) == shard).collect()
        };
        let asked_at = Instant::now();
        let conn = self.db.get(Pool::Interactive).await?;
        let rows = conn.rows(Query::PracticeRevisions, &[&shard, &wanted]).await?;
        drop(conn);
        let now: HashMap<i64, i32> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let mut known = self.known();
        for id in wanted {
            let Some(newest) = known.newest.get_mut(&id) else { continue };
            if newest.number() == now.get(&id).copied() {
                newest.asked_at = newest.asked_at.max(asked_at);
                newest.is_wanted = false;
            } else if newest.asked_at < asked_at {
                known.newest.remove(&id);
            }
        }
        self.tell(&known);
        Ok(())
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
