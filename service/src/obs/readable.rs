//! Counters and gauges that the process reads itself, for its live page. The exporter's handles
//! can only be written, and a scrape's text is for others to parse: so the same number is kept in
//! a cell beside the handle, at the cost of one more atomic addition.
//!
//! Belongs here: the two cells. Never here: which families have them; each file of `obs` says so
//! by the type of its handles.

use std::sync::atomic::{AtomicU64, Ordering};

use contract::Family;
use metrics::{Counter, Gauge, SharedString};

use super::family;

/// A counter that can be read.
pub(super) struct Count {
    exported: Counter,
    value: AtomicU64,
}

impl Count {
    /// Registers it at zero.
    pub(super) fn register<V: Into<SharedString>, const N: usize>(
        family: Family,
        labels: [(&'static str, V); N],
    ) -> Self {
        Self { exported: family::counter(family, labels), value: AtomicU64::new(0) }
    }

    pub(super) fn increment(&self, n: u64) {
        self.exported.increment(n);
        self.value.fetch_add(n, Ordering::Relaxed);
    }

    /// What was counted since the process started.
    pub(super) fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

/// A gauge that can be read.
#[derive(Debug)]
pub(super) struct Level {
    exported: Gauge,
    /// The bits of a float.
    value: AtomicU64,
}

impl Level {
    /// Registers it at zero.
    pub(super) fn register<V: Into<SharedString>, const N: usize>(
        family: Family,
        labels: [(&'static str, V); N],
    ) -> Self {
        Self { exported: family::gauge(family, labels), value: AtomicU64::new(0) }
    }

    pub(super) fn set(&self, value: f64) {
        self.exported.set(value);
        self.value.store(value.to_bits(), Ordering::Relaxed);
    }

    pub(super) fn increment(&self, by: f64) {
        self.exported.increment(by);
        self.add(by);
    }

    pub(super) fn decrement(&self, by: f64) {
        self.exported.decrement(by);
        self.add(-by);
    }

    fn add(&self, by: f64) {
        let sum = |bits| Some((f64::from_bits(bits) + by).to_bits());
        // It can't fail: the sum is always there.
        let _before = self.value.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum);
    }

    /// What it was set to last.
    pub(super) fn get(&self) -> f64 {
        f64::from_bits(self.value.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Without a recorder the exporter's half does nothing, which is what is wanted here.
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
