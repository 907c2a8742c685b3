//! What every processor writes at once is kept in stripes: cells that two of them write cost
//! several times as much as cells of one's own (the cache line goes back and forth), so every
//! thread writes a stripe of its own, and whoever reads adds them up.
//!
//! Belongs here: whose stripe is whose, and a counter made so. Never here: names, labels or text.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Threads that may count at once without meeting each other: more share stripes. A power of two.
pub(super) const STRIPES: usize = 4;

thread_local! {
    static STRIPE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The calling thread's stripe: threads take them in turns.
#[inline]
pub(super) fn own() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    STRIPE.with(|stripe| {
        if stripe.get() == usize::MAX {
            stripe.set(NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES);
        }
        stripe.get()
    })
}

/// Two cache lines apart from the next one: processors fetch lines in pairs.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Apart<T>(pub(super) T);

/// A counter that many threads write.
#[derive(Debug)]
pub(crate) struct Counter([Apart<AtomicU64>; STRIPES]);

impl Counter {
    pub(crate) const fn new() -> Self {
        Self([const { Apart(AtomicU64::new(0)) }; STRIPES])
    }

    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.0[own()].0.fetch_add(n, Ordering::Relaxed);
    }

    /// What all threads have counted.
    pub(crate) fn get(&self) -> u64 {
        self.0.iter().map(|stripe| stripe.0.load(Ordering::Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_between_threads() {
        let counter = Counter::new();
        std::thread::scope(|scope| {
            for _ in 0..STRIPES + 2 {
                scope.spawn(|| (0..10_000).for_each(|_| counter.add(2)));
            }
        });
        assert_eq!(counter.get(), 2 * 10_000 * (STRIPES as u64 + 2));
    }
}
