//! Examples: for each cell of a histogram the trace of a recent request that fell into it, so that
//! a dot on a chart leads to one request.
//!
//! A slot is written at most once a second and read by scrapes; whoever finds it being written
//! goes on without. Belongs here: keeping them. Never here: how they are printed.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::time::{SystemTime, UNIX_EPOCH};

/// A trace's name, as W3C Trace Context has it: sixteen bytes, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TraceId(u128);

impl TraceId {
    /// A new one.
    pub(crate) fn from_random(bits: u128) -> Self {
        Self(bits.max(1))
    }

    /// From its 32 lower-case hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 32 || !text.bytes().all(is_hex) {
            return None;
        }
        u128::from_str_radix(text, 16).ok().filter(|id| *id != 0).map(Self)
    }
}

impl TraceId {
    /// Its digits, for where there are thousands of them: formatting takes several times as long.
    pub(super) fn digits(self) -> [u8; 32] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let bytes = self.0.to_be_bytes();
        std::array::from_fn(|i| {
            let byte = bytes[i / 2];
            DIGITS[usize::from(if i % 2 == 0 { byte >> 4 } else { byte & 0xf })]
        })
    }
}

impl std::fmt::Display for TraceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// One request that stands for its cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exemplar {
    /// Which.
    pub(crate) trace: TraceId,
    /// How long it took.
    pub(crate) value: u64,
    /// When, in seconds since the epoch.
    pub(crate) at: u64,
}

/// Seconds since the epoch as of the last tick: reading a clock costs more than recording does.
static NOW: AtomicU64 = AtomicU64::new(0);

/// Reads the clock, for all slots.
pub(crate) fn tick() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    tick_at(now.as_secs());
}

/// The same with a time of one's own.
pub(super) fn tick_at(seconds: u64) {
    NOW.store(seconds, Ordering::Relaxed);
}

/// Room for one example. The sequence is odd while somebody writes.
#[derive(Debug)]
pub(crate) struct Slot {
    sequence: AtomicU32,
    high: AtomicU64,
    low: AtomicU64,
    value: AtomicU64,
    at: AtomicU64,
}

impl Slot {
    pub(crate) const fn new() -> Self {
        Self {
            sequence: AtomicU32::new(0),
            high: AtomicU64::new(0),
            low: AtomicU64::new(0),
            value: AtomicU64::new(0),
            at: AtomicU64::new(0),
        }
    }

    /// Takes it if the one that is here is older than a second, and nobody else is at it.
    pub(crate) fn offer(&self, trace: TraceId, value: u64) {
        let now = NOW.load(Ordering::Relaxed);
        if self.at.load(Ordering::Relaxed) == now && now != 0 {
            return;
        }
        let before = self.sequence.load(Ordering::Relaxed);
        let locked = before.is_multiple_of(2)
            && self
                .sequence
                .compare_exchange(
                    before,
                    before.wrapping_add(1),
                    Ordering::Acquire,
                    Ordering::Relaxed,
                )
                .is_ok();
        if !locked {
            return;
        }
        fence(Ordering::Release);
        self.high.store((trace.0 >> 64) as u64, Ordering::Relaxed);
        self.low.store(trace.0 as u64, Ordering::Relaxed);
        self.value.store(value, Ordering::Relaxed);
        self.at.store(now, Ordering::Relaxed);
        self.sequence.store(before.wrapping_add(2), Ordering::Release);
    }

    /// What is here; nothing while it is being written.
    pub(crate) fn read(&self) -> Option<Exemplar> {
        let before = self.sequence.load(Ordering::Acquire);
        let load = |atomic: &AtomicU64| atomic.load(Ordering::Relaxed);
        let (high, low) = (load(&self.high), load(&self.low));
        let (value, at) = (load(&self.value), load(&self.at));
        fence(Ordering::Acquire);
        let is_whole = before.is_multiple_of(2) && self.sequence.load(Ordering::Relaxed) == before;
        let trace = TraceId(u128::from(high) << 64 | u128::from(low));
        (is_whole && trace.0 != 0).then_some(Exemplar { trace, value, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proper_trace_id_is_one() {
        let good = "4bf92f3577b34da6a3ce929d0e0e4736";
        let id = TraceId::parse(good).unwrap();
        assert_eq!((id.to_string().as_str(), &id.digits()[..]), (good, good.as_bytes()));
        for bad in [
            "",
            "4bf92f3577b34da6a3ce929d0e0e473",
            "4BF92F3577B34DA6A3CE929D0E0E4736",
            "00000000000000000000000000000000",
            "+bf92f3577b34da6a3ce929d0e0e4736",
            "4bf92f3577b34da6a3ce929d0e0e473g",
        ] {
            assert_eq!(TraceId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_reader_never_sees_half_of_one() {
        let slot = Slot::new();
        assert_eq!(slot.read(), None);
        // Where both halves and the duration agree, it is whole.
        let trace = |n: u64| TraceId(u128::from(n) << 64 | u128::from(n));
        std::thread::scope(|scope| {
            for thread in 1..=2_u64 {
                let slot = &slot;
                scope.spawn(move || {
                    for n in 1..20_000 {
                        slot.offer(trace(thread * 1_000_000 + n), thread * 1_000_000 + n);
                    }
                });
            }
            for _ in 0..20_000 {
                if let Some(seen) = slot.read() {
                    assert_eq!(seen.trace, trace(seen.value));
                }
            }
        });
        assert!(slot.read().is_some());
    }
}
