//! One value for each shard, as this process last saw it: for the gauges that are sums or maxima
//! over shards which are looked at one at a time.

use std::sync::{Mutex, PoisonError};

/// A value for each shard.
pub(super) struct Shards<T>(Mutex<Vec<T>>);

impl<T: Copy> Shards<T> {
    /// The same for all at first.
    pub(super) fn new(shard_count: i16, value: T) -> Self {
        Self(Mutex::new(vec![value; usize::try_from(shard_count).unwrap_or(0)]))
    }

    /// Notes a shard's value and returns all of them.
    pub(super) fn set(&self, shard: i16, value: T) -> Vec<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = usize::try_from(shard).ok().and_then(|at| all.get_mut(at)) {
            *slot = value;
        }
        all.clone()
    }

    /// Does something with a shard's value.
    pub(super) fn with<R>(&self, shard: i16, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        usize::try_from(shard).ok().and_then(|at| all.get_mut(at)).map(f)
    }

    /// All values.
    pub(super) fn all(&self) -> Vec<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
