//! Counters and gauges that the process reads itself, for its live page. The exporter's handles
//! can only be written, and a scrape's text is for others to parse: so the number is kept in a cell
//! of our own, which is all that counting touches, and the exporter is told at each scrape.
//!
//! Belongs here: the two cells. Never here: which families have them; each file of `obs` says so
//! by the type of its handles.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use contract::Family;
use metrics::{Counter, Gauge};

use super::family;
use super::label::{Pair, Value};

/// What the exporter has of a cell.
enum Exported {
    Count(Counter),
    Level(Gauge),
}

static CELLS: Mutex<Vec<(Exported, Arc<AtomicU64>)>> = Mutex::new(Vec::new());

fn cell(exported: Exported) -> Arc<AtomicU64> {
    let cell = Arc::new(AtomicU64::new(0));
    let mut cells = CELLS.lock().unwrap_or_else(PoisonError::into_inner);
    cells.push((exported, Arc::clone(&cell)));
    cell
}

/// Tells the exporter what all cells hold.
pub(super) fn publish() {
    for (exported, cell) in CELLS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let value = cell.load(Ordering::Relaxed);
        match exported {
            Exported::Count(counter) => counter.absolute(value),
            Exported::Level(gauge) => gauge.set(f64::from_bits(value)),
        }
    }
}

/// A counter that can be read.
pub(super) struct Count(Arc<AtomicU64>);

impl Count {
    /// Registers it at zero.
    pub(super) fn register<V: Into<Value>, const N: usize>(
        family: Family,
        labels: [Pair<V>; N],
    ) -> Self {
        Self(cell(Exported::Count(family::counter(family, labels))))
    }

    pub(super) fn increment(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// What was counted since the process started.
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
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
        Self(cell(Exported::Level(family::gauge(family, labels))))
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
