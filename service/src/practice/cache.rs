//! The bounded memory of practices. A stated revision is kept for as long as there is room, as
//! nothing in it changes; which one is the newest, and with it a practice's name and sender, is
//! asked again after a second, so that other processes' changes are seen: in one statement for all
//! practices of the shard that were asked for meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use contract::{Limit, Pool, Query, shard_of};

use super::store::{self, On};
use super::{Practice, Revision};
use crate::db::router::carried;
use crate::db::{Db, DbError, Tx};
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

/// What a practice was when it was last asked for; none where there was no such practice.
struct Newest {
    asked_at: Instant,
    practice: Option<Arc<Practice>>,
    /// Somebody asked for it since.
    is_wanted: bool,
}

impl Newest {
    fn new(asked_at: Instant, practice: Option<Arc<Practice>>) -> Self {
        Self { asked_at, practice, is_wanted: false }
    }

    fn number(&self) -> Option<i32> {
        self.practice.as_ref().map(|practice| practice.newest.revision)
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

    /// A practice as it is now, at most a second old. That there is none is not believed for a
    /// caller who has written: it may have made the practice through another process.
    pub(crate) async fn get(&self, practice_id: i64) -> Result<Option<Arc<Practice>>, DbError> {
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

    /// A practice as it is stored now.
    pub(crate) async fn read(&self, practice_id: i64) -> Result<Option<Arc<Practice>>, DbError> {
        let conn = self.db.get(Pool::Interactive).await?;
        self.read_on(On::Conn(&conn), self.shard(practice_id), practice_id).await
    }

    async fn read_on(
        &self,
        on: On<'_>,
        shard: i16,
        practice_id: i64,
    ) -> Result<Option<Arc<Practice>>, DbError> {
        let asked_at = Instant::now();
        let practice = store::read(on, shard, practice_id).await?.map(Arc::new);
        self.keep(practice_id, Newest::new(asked_at, practice.clone()));
        Ok(practice)
    }

    /// Practices of a shard as they are now, by their ids: each at most a second old, and no older
    /// than the revision that is named with it, of which something that was read says that it
    /// exists. Asked for on the transaction's own connection, so that a stage waits for no place in
    /// a pool that requests may have filled.
    pub(crate) async fn newest(
        &self,
        tx: &Tx<'_>,
        shard: i16,
        wanted: &[(i64, i32)],
    ) -> Result<HashMap<i64, Arc<Practice>>, DbError> {
        let mut least: HashMap<i64, i32> = HashMap::with_capacity(wanted.len());
        for &(practice_id, revision) in wanted {
            let known = least.entry(practice_id).or_insert(revision);
            *known = revision.max(*known);
        }
        // Each is looked at, and so marked as wanted: one statement asks for all.
        let is_outdated = |id: &&i64| matches!(self.remembered(**id), Some(Err(Outdated)));
        if least.keys().filter(is_outdated).count() > 0 {
            self.refresh(On::Tx(tx), shard).await?;
        }
        let mut found = HashMap::with_capacity(least.len());
        for (practice_id, least) in least {
            let practice = match self.remembered(practice_id) {
                Some(Ok(Some(practice))) if practice.newest.revision >= least => practice,
                Some(_) | None => {
                    let read = self.read_on(On::Tx(tx), shard, practice_id).await?;
                    read.ok_or_else(|| missing(Query::PracticeRead, practice_id, least))?
                }
            };
            found.insert(practice_id, practice);
        }
        Ok(found)
    }

    /// A stated revision, of which a promise or a text says that it exists, asked for on the
    /// transaction's own connection.
    pub(crate) async fn revision(
        &self,
        tx: &Tx<'_>,
        shard: i16,
        practice_id: i64,
        revision: i32,
    ) -> Result<Arc<Revision>, DbError> {
        if let Some(found) = self.known().revisions.get(&(practice_id, revision)) {
            return Ok(Arc::clone(found));
        }
        let read = store::read_revision(On::Tx(tx), shard, practice_id, revision).await?;
        let unknown = || missing(Query::PracticeRevisionRead, practice_id, revision);
        let found = Arc::new(read.ok_or_else(unknown)?);
        let mut known = self.known();
        make_room(&mut known.revisions, self.room);
        known.revisions.insert((practice_id, revision), Arc::clone(&found));
        Ok(found)
    }

    /// Takes a change of this process's own into memory at once.
    pub(crate) fn remember(&self, practice: Practice) {
        let id = practice.newest.practice_id;
        self.keep(id, Newest::new(Instant::now(), Some(Arc::new(practice))));
    }

    /// Keeps what is the newest, and that revision by its number; not if a newer one came while
    /// this was asked for.
    fn keep(&self, practice_id: i64, newest: Newest) {
        let mut known = self.known();
        if let Some(practice) = &newest.practice {
            let revision = &practice.newest;
            make_room(&mut known.revisions, self.room);
            known.revisions.insert((practice_id, revision.revision), Arc::clone(revision));
        }
        if known.newest.get(&practice_id).is_some_and(|kept| kept.number() > newest.number()) {
            return;
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
    fn remembered(&self, practice_id: i64) -> Option<Result<Option<Arc<Practice>>, Outdated>> {
        let mut known = self.known();
        let newest = known.newest.get_mut(&practice_id)?;
        newest.is_wanted = true;
        let is_fresh = newest.asked_at.elapsed() < NEWEST_FOR;
        Some(if is_fresh { Ok(newest.practice.clone()) } else { Err(Outdated) })
    }

    /// Asks for a practice that is remembered for too long, with all others of its shard; none if
    /// it changed meanwhile and must be read anew.
    async fn refreshed(&self, practice_id: i64) -> Result<Option<Option<Arc<Practice>>>, DbError> {
        let shard = self.shard(practice_id);
        let at = usize::try_from(shard).unwrap_or_default();
        let turn = self.refreshing[at].lock().await;
        if let Some(Ok(newest)) = self.remembered(practice_id) {
            return Ok(Some(newest)); // whoever was before us asked for it
        }
        let conn = self.db.get(Pool::Interactive).await?;
        self.refresh(On::Conn(&conn), shard).await?;
        drop(conn);
        drop(turn);
        Ok(self.remembered(practice_id).and_then(Result::ok))
    }

    async fn refresh(&self, on: On<'_>, shard: i16) -> Result<(), DbError> {
        let wanted: Vec<i64> = {
            let known = self.known();
            let wanted = known.newest.iter().filter(|(_, newest)| newest.is_wanted);
            wanted.map(|(id, _)| *id).filter(|id| self.shard(*id) == shard).collect()
        };
        let asked_at = Instant::now();
        let rows = on.rows(Query::PracticeRevisions, &[&shard, &wanted]).await?;
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

/// What was read names a revision that isn't there.
fn missing(query: Query, practice_id: i64, revision: i32) -> DbError {
    DbError::Refused {
        query: query.name(),
        code: "client".into(),
        message: format!("practice {practice_id} has no revision {revision}"),
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
