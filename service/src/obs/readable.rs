//! Counters and gauges in cells of our own, which is all that counting touches: those that the
//! process reads itself, for its live page, as the exporter's handles can only be written; and
//! those that are many, as a scrape prints ours faster than the exporter its own (ADR 9).
//!
//! Belongs here: the two handles. Never here: which families have them; each file of `obs` says so
//! by the type of its handles.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use contract::Family;
use contract::family::Kind;

use super::label::{Pair, Value};
use super::{registry, stripe};

/// A counter that can be read.
pub(super) struct Count(Arc<stripe::Counter>);

impl Count {
    /// Registers it at zero.
    pub(super) fn register<V: Into<Value>, const N: usize>(
        family: Family,
        labels: [Pair<V>; N],
    ) -> Self {
        assert!(family.spec().kind == Kind::Counter, "{} is no counter", family.name());
        Self(registry::COUNTS.make(family, labels, stripe::Counter::new))
    }

    pub(super) fn increment(&self, n: u64) {
        self.0.add(n);
    }

    /// What was counted since the process started.
    pub(super) fn get(&self) -> u64 {
        self.0.get()
    }
}

/// A gauge that can be read: the bits of a float.
#[derive(Debug)]
pub(super) struct Level(Arc<AtomicU64>);

impl Level {
    /// Registers it at zero.
    pub(super) fn register<V: Into<Value>, const N: usize>(
        family: Family,
        labels: [Pair<V>; N],
    ) -> Self {
        assert!(family.spec().kind == Kind::Gauge, "{} is no gauge", family.name());
        Self(registry::LEVELS.make(family, labels, || AtomicU64::new(0)))
    }

    pub(super) fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    pub(super) fn increment(&self, by: f64) {
        self.add(by);
    }

    pub(super) fn decrement(&self, by: f64) {
        self.add(-by);
    }

    fn add(&self, by: f64) {
        let sum = |bits| Some((f64::from_bits(bits) + by).to_bits());
        // It can't fail: the sum is always there.
        let _before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum);
    }

    /// What it was set to last.
    pub(super) fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::super::family;
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let count = Count::register(Family::StaleCompletions, family::NONE);
        count.increment(3);
        count.increment(4);
        assert_eq!(count.get(), 7);
        let level = Level::register(Family::FoldLag, family::NONE);
        level.set(2.5);
        level.increment(1.0);
        level.decrement(3.0);
        assert!((level.get() - 0.5).abs() < 1e-12);
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let level = Level::register(Family::FoldLag, family::NONE);
        let count = Count::register(Family::StaleCompletions, family::NONE);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5_000 {
                        level.increment(1.0);
                        count.increment(1);
                        level.decrement(0.5);
                    }
                });
            }
        });
        assert!((level.get() - 10_000.0).abs() < 1e-9);
        assert_eq!(count.get(), 20_000);
    }
}
