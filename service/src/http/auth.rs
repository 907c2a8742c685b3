//! Who calls: the admin key, or a key of a practice. A practice's key is
//! `pk_<practice>_<key>_<secret>`; stored is only the SHA-256 of the secret, which has 256 random
//! bits, so that nothing slower is needed. What is stored is kept in memory for a minute, also
//! that there is none: a key that was revoked works for a minute at most; a quarter of an hour in a
//! process that finds no primary.
//!
//! Anybody can make keys up, and each of them has to be looked up: that takes few of the
//! connections that bookings need, a place of its own in every case, and no other key's in memory.
//!
//! Never here: what a caller may do beyond its practice; that is the endpoint's row.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract::endpoint::Access;
use contract::{Endpoint, Limit, Pool, Query};
use http::HeaderMap;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::path::{MAX_ID, PathParams};
use super::problem::{Code, Problem};
use super::request::Principal;
use crate::db::Db;
use crate::obs;

/// How long what is stored of a key is believed.
const LIFE: Duration = Duration::from_secs(60);

/// How long a key that was valid is believed while there is no primary to ask: reads that a replica
/// answers go on for its practice. Nobody can revoke it there meanwhile; whoever still reaches a
/// primary that this process does not can.
const LIFE_ALONE: Duration = Duration::from_secs(15 * 60);

/// Look-ups at the database at a time: a quarter of the eight connections that they share with the
/// bookings. At half a millisecond each that is four thousand a second.
const READ_MAX: usize = 2;

/// SHA-256 of a secret.
pub(crate) type Hash = [u8; 32];

/// The secret of a new key, shown once and then only known by its hash.
pub(crate) struct NewSecret {
    secret: String,
    hash: Hash,
}

impl NewSecret {
    /// One of 256 random bits.
    pub(crate) fn random() -> Self {
        let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let hash = hash(&secret);
        Self { secret, hash }
    }

    /// What is stored.
    pub(crate) const fn hash(&self) -> &Hash {
        &self.hash
    }

    /// The key as its practice presents it.
    pub(crate) fn shown(&self, practice_id: i64, key_id: i32) -> String {
        format!("pk_{practice_id}_{key_id}_{}", self.secret)
    }
}

fn hash(secret: &str) -> Hash {
    let digest = digest(&SHA256, secret.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// A practice's key as it was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Presented {
    practice_id: i64,
    key_id: i32,
    hash: Hash,
}

impl Presented {
    fn parse(key: &str) -> Option<Self> {
        let mut parts = key.strip_prefix("pk_")?.splitn(3, '_');
        let practice_id = parts.next()?.parse().ok().filter(|id| (1..=MAX_ID).contains(id))?;
        let key_id = parts.next()?.parse().ok().filter(|id: &i32| *id > 0)?;
        let secret = parts.next().filter(|secret| (32..=128).contains(&secret.len()))?;
        Some(Self { practice_id, key_id, hash: hash(secret) })
    }
}

/// What is known of keys.
pub(crate) struct Keys {
    admin: Hash,
    known: Mutex<Known>,
    entries_max: usize,
    /// For look-ups, those that wait for a turn too.
    lookups: Semaphore,
    lookups_max: usize,
    /// For those that are at the database.
    turns: Semaphore,
}

/// Keys, and what isn't one: made-up ones push out each other and nothing else.
#[derive(Default)]
struct Known {
    keys: Generations,
    none: Generations,
}

/// Two maps: when the younger is half of the bound, it becomes the older, which is forgotten.
/// Bounded without a list of ages.
#[derive(Default)]
struct Generations {
    young: HashMap<(i64, i32), Entry>,
    old: HashMap<(i64, i32), Entry>,
}

impl Generations {
    fn get(&self, key: (i64, i32)) -> Option<Entry> {
        self.young.get(&key).or_else(|| self.old.get(&key)).copied()
    }

    fn put(&mut self, key: (i64, i32), entry: Entry, entries_max: usize) {
        if self.young.len() >= (entries_max / 2).max(1) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, entry);
    }

    fn remove(&mut self, key: (i64, i32)) {
        self.young.remove(&key);
        self.old.remove(&key);
    }

    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[derive(Clone, Copy)]
struct Entry {
    /// None: there is no such key, or it was revoked.
    hash: Option<Hash>,
    read_at: Instant,
}

impl Keys {
    /// Knows nothing yet but the admin key, and looks up so many others at a time.
    pub(crate) fn new(admin_key: &str, entries_max: usize, lookups_max: usize) -> Self {
        Self {
            admin: hash(admin_key),
            known: Mutex::default(),
            entries_max,
            lookups: Semaphore::new(lookups_max),
            lookups_max,
            turns: Semaphore::new(READ_MAX),
        }
    }

    /// Finds out who calls an endpoint, reading the key's hash from the database if it must.
    pub(crate) async fn principal(
        &self,
        db: &Db,
        shard_of: impl Fn(i64) -> i16,
        endpoint: Endpoint,
        path: &PathParams,
        headers: &HeaderMap,
    ) -> Result<Principal, Problem> {
        let read = async |practice_id, key_id| {
            check_practice_key(db, shard_of(practice_id), practice_id, key_id).await
        };
        self.resolve(endpoint, path, headers, Instant::now(), read).await
    }

    /// Forgets a key, so that its end holds here at once.
    pub(crate) fn forget(&self, practice_id: i64, key_id: i32) {
        let mut known = self.known.lock().expect("nothing panics under this lock");
        known.keys.remove((practice_id, key_id));
        known.none.remove((practice_id, key_id));
    }

    /// Publishes how many look-ups there are.
    pub(crate) fn observe(&self) {
        let used = self.lookups_max.saturating_sub(self.lookups.available_permits());
        obs::limit::used_of(Limit::KeyLookups, used as u64, self.lookups_max as u64);
    }

    async fn resolve(
        &self,
        endpoint: Endpoint,
        path: &PathParams,
        headers: &HeaderMap,
        now: Instant,
        read: impl AsyncFnOnce(i64, i32) -> Result<Option<Hash>, Problem>,
    ) -> Result<Principal, Problem> {
        let access = endpoint.spec().access;
        match access {
            Access::Open => return Ok(Principal::Anonymous),
            Access::Provider => return Ok(Principal::Provider),
            Access::Practice | Access::AdminKey => {}
        }
        let key = bearer(headers)?;
        if verify_slices_are_equal(&hash(key), &self.admin).is_ok() {
            return Ok(Principal::Admin);
        }
        let presented = Presented::parse(key).ok_or_else(unauthenticated)?;
        let Presented { practice_id, key_id, .. } = presented;
        let stored = match self.known(practice_id, key_id, now) {
            Some(stored) => stored,
            None => {
                // Boxed: it is rare, and would else be part of every request's size.
                let looked_up = Box::pin(async {
                    let _held = self.place().await?;
                    read(practice_id, key_id).await
                });
                match looked_up.await {
                    Ok(stored) => {
                        self.learn(practice_id, key_id, Entry { hash: stored, read_at: now });
                        stored
                    }
                    Err(problem) if problem.code == Code::Unavailable => {
                        Some(self.last_known(practice_id, key_id, now).ok_or(problem)?)
                    }
                    Err(problem) => return Err(problem),
                }
            }
        };
        let is_right =
            stored.is_some_and(|stored| verify_slices_are_equal(&presented.hash, &stored).is_ok());
        if !is_right {
            return Err(unauthenticated());
        }
        if access == Access::AdminKey {
            return Err(Problem::new(Code::AdminOnly, "Use the admin key for this."));
        }
        if path.str("practice_id") != practice_id.to_string() {
            let detail = format!("This key is of practice {practice_id}.");
            return Err(Problem::new(Code::NotYourPractice, detail));
        }
        Ok(Principal::Practice { practice_id, key_id })
    }

    /// A place for a look-up, if there is one, and then its turn at the database, for which it
    /// waits no longer than its request does.
    async fn place(&self) -> Result<(SemaphorePermit<'_>, SemaphorePermit<'_>), Problem> {
        let Ok(place) = self.lookups.try_acquire() else {
            obs::limit::reached(Limit::KeyLookups);
            let detail = "Too many keys are being looked up: try again in a moment.";
            return Err(Problem::new(Code::Overloaded, detail));
        };
        let turn = self.turns.acquire().await.expect("the turns are never closed");
        Ok((place, turn))
    }

    fn known(&self, practice_id: i64, key_id: i32, now: Instant) -> Option<Option<Hash>> {
        let known = self.known.lock().expect("nothing panics under this lock");
        let Known { keys, none } = &*known;
        let is_young = |entry: &Entry| now.saturating_duration_since(entry.read_at) < LIFE;
        let of = |entries: &Generations| entries.get((practice_id, key_id)).filter(is_young);
        of(keys).or_else(|| of(none)).map(|entry| entry.hash)
    }

    /// The hash of a key that was valid when it was last looked up, a while ago.
    fn last_known(&self, practice_id: i64, key_id: i32, now: Instant) -> Option<Hash> {
        let known = self.known.lock().expect("nothing panics under this lock");
        let of = |entries: &Generations| entries.get((practice_id, key_id));
        let newest = of(&known.keys).into_iter().chain(of(&known.none)).max_by_key(|e| e.read_at);
        let is_young = |e: &Entry| now.saturating_duration_since(e.read_at) < LIFE_ALONE;
        newest.filter(is_young)?.hash
    }

    fn learn(&self, practice_id: i64, key_id: i32, entry: Entry) {
        let mut known = self.known.lock().expect("nothing panics under this lock");
        let Known { keys, none } = &mut *known;
        let entries = if entry.hash.is_some() { &mut *keys } else { none };
        entries.put((practice_id, key_id), entry, self.entries_max);
        obs::limit::used_of(Limit::ApiKeyCache, keys.len() as u64, self.entries_max as u64);
    }
}

fn unauthenticated() -> Problem {
    let detail = "Send a valid key: Authorization: Bearer pk_…";
    Problem::new(Code::Unauthenticated, detail)
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(http::header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(unauthenticated());
    };
    let text = value.to_str().map_err(|_| unauthenticated())?;
    let (scheme, key) = text.split_once(' ').ok_or_else(unauthenticated)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(key.trim()) } else { Err(unauthenticated()) }
}

/// The stored hash of a practice's key, if the key is valid.
async fn check_practice_key(
    db: &Db,
    shard: i16,
    practice_id: i64,
    key_id: i32,
) -> Result<Option<Hash>, Problem> {
    let conn = db.get(Pool::Interactive).await?;
    let row = conn.row_opt(Query::ApiKeyRead, &[&shard, &practice_id, &key_id]).await?;
    Ok(row.and_then(|row| row.get::<_, &[u8]>(0).try_into().ok()))
}

#[cfg(test)]
#[path = "auth_tests.rs"]
mod tests;
