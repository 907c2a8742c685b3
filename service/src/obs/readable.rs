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

use super::label::{Pair, Value};
use super::{family, stripe};

/// What is written, and what the exporter has of it.
enum Cell {
    Count(Arc<stripe::Counter>, Counter),
    Level(Arc<AtomicU64>, Gauge),
}

static CELLS: Mutex<Vec<Cell>> = Mutex::new(Vec::new());

fn keep(cell: Cell) {
    CELLS.lock().unwrap_or_else(PoisonError::into_inner).push(cell);
}

/// Tells the exporter what all cells hold.
pub(super) fn publish() {
    for cell in CELLS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        match cell {
            Cell::Count(count, counter) => counter.absolute(count.get()),
            Cell::Level(bits, gauge) => gauge.set(f64::from_bits(bits.load(Ordering::Relaxed))),
        }
    }
}

/// A counter that can be read.
pub(super) struct Count(Arc<stripe::Counter>);

impl Count {
    /// Registers it at zero.
    pub(super) fn register<V: Into<Value>, const N: usize>(
        family: Family,
        labels: [Pair<V>; N],
    ) -> Self {
        let count = Arc::new(stripe::Counter::new());
        keep(Cell::Count(Arc::clone(&count), family::counter(family, labels)));
        Self(count)
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
        let bits = Arc::new(AtomicU64::new(0));
        keep(Cell::Level(Arc::clone(&bits), family::gauge(family, labels)));
        Self(bits)
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
