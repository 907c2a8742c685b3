//! One schedule for both sides: each arrival of the plan is a pair, one request for base and one
//! for head. Which of them goes first is left to chance, by the seed; the other follows before the
//! next pair, so soon that both meet the same machine.
//!
//! Belongs here: the order, and what both sides of a pair took. Never here: what is sent (the
//! sides' own source), where to (`play`), what it means (`stats`, `judge`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tokio::time::Instant;

use super::stats::windows::Pair;
use crate::engine::connection::Broken;
use crate::engine::{Answer, Label, Outgoing, Source, Verdict};

/// The second of a pair follows no later than this, however far away the next pair is.
const APART_MAX: Duration = Duration::from_millis(5);

/// The two sides' names, in the order in which everything has them.
pub(super) const SIDES: [&str; 2] = ["base", "head"];

/// Both sides' schedule.
#[derive(Debug)]
pub(super) struct Pairs<S> {
    /// The same work for both; what differs is where it goes and with which keys.
    sides: [Arc<S>; 2],
    /// Of each pair, whether head goes first.
    head_first: Vec<bool>,
    /// Base's kinds, then head's.
    labels: Vec<Label>,
    start: OnceLock<Instant>,
    /// What each side of each pair took in nanoseconds; 0 for none.
    took_ns: Vec<[AtomicU64; 2]>,
}

/// A request's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    pair: usize,
    is_second: bool,
    side: usize,
}

impl<S: Source> Pairs<S> {
    pub(super) fn new(sides: [Arc<S>; 2], seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let n = sides[0].len();
        let head_first = (0..n).map(|_| rng.next_u32() & 1 == 1).collect();
        let labels = sides.iter().flat_map(|side| side.labels().to_vec()).collect();
        let took_ns = (0..n).map(|_| <[AtomicU64; 2]>::default()).collect();
        Self { sides, head_first, labels, start: OnceLock::new(), took_ns }
    }

    /// The kinds of one side.
    pub(super) fn kinds(&self) -> &[Label] {
        self.sides[0].labels()
    }

    /// Says when the run starts, once, before anything is sent.
    pub(super) fn starts(&self, at: Instant) {
        self.start.get_or_init(|| at);
    }

    /// The pairs that were answered well on both sides, in the order of time.
    pub(super) fn answered_pairs(&self) -> Vec<Pair> {
        let pair = |(i, took): (usize, &[AtomicU64; 2])| {
            let [base, head] = took.each_ref().map(|ns| ns.load(Ordering::Relaxed));
            let second = u32::try_from(self.sides[0].intended(i).as_secs()).ok()?;
            let kind = u16::try_from(self.sides[0].label(i)).ok()?;
            (base > 0 && head > 0).then_some(Pair { second, kind, response_ns: [base, head] })
        };
        self.took_ns.iter().enumerate().filter_map(pair).collect()
    }

    fn place(&self, index: usize) -> Place {
        let (pair, is_second) = (index / 2, index % 2 == 1);
        Place { pair, is_second, side: usize::from(self.head_first[pair] ^ is_second) }
    }

    /// How long after the first of a pair the second one leaves: half of the way to the next pair.
    fn apart(&self, pair: usize) -> Duration {
        let side = &self.sides[0];
        let next = (pair + 1 < side.len()).then(|| side.intended(pair + 1));
        let gap = next.map_or(APART_MAX, |next| (next - side.intended(pair)) / 2);
        gap.min(APART_MAX)
    }

    fn note(&self, index: usize, ended: Instant) {
        let Some(start) = self.start.get() else { return };
        let took = ended.saturating_duration_since(*start + self.intended(index));
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1);
        let Place { pair, side, .. } = self.place(index);
        self.took_ns[pair][side].store(ns, Ordering::Relaxed);
    }
}

impl<S: Source> Source for Pairs<S> {
    fn labels(&self) -> &[Label] {
        &self.labels
    }

    fn len(&self) -> usize {
        2 * self.head_first.len()
    }

    fn intended(&self, index: usize) -> Duration {
        let Place { pair, is_second, .. } = self.place(index);
        let apart = if is_second { self.apart(pair) } else { Duration::ZERO };
        self.sides[0].intended(pair) + apart
    }

    fn label(&self, index: usize) -> usize {
        let Place { pair, side, .. } = self.place(index);
        side * self.kinds().len() + self.sides[side].label(pair)
    }

    fn request(&self, index: usize) -> Outgoing {
        let Place { pair, side, .. } = self.place(index);
        let request = self.sides[side].request(pair);
        Outgoing { label: self.label(index), ..request }
    }

    fn reads_bodies(&self) -> bool {
        self.sides[0].reads_bodies()
    }

    fn answered(&self, index: usize, answer: &Answer) -> Verdict {
        let Place { pair, side, .. } = self.place(index);
        let verdict = self.sides[side].answered(pair, answer);
        if verdict == Verdict::Good {
            self.note(index, answer.ended);
        }
        verdict
    }

    fn broken(&self, index: usize, broken: Broken, sending: u64) -> Verdict {
        let Place { pair, side, .. } = self.place(index);
        self.sides[side].broken(pair, broken, sending)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Uri;

    use super::*;

    /// A request each 8 ms, of two kinds in turn.
    #[derive(Debug)]
    struct Even(&'static str, Vec<Label>);

    fn even(host: &'static str) -> Arc<Even> {
        let label = |name| Label {
            name,
            method: "GET",
            objective: Duration::from_secs(1),
            share: 0.99,
            critical: true,
        };
        Arc::new(Even(host, vec![label("a"), label("b")]))
    }

    impl Source for Even {
        fn labels(&self) -> &[Label] {
            &self.1
        }
        fn len(&self) -> usize {
            400
        }
        fn intended(&self, index: usize) -> Duration {
            Duration::from_millis(8) * index as u32
        }
        fn label(&self, index: usize) -> usize {
            index % 2
        }
        fn request(&self, index: usize) -> Outgoing {
            Outgoing {
                label: self.label(index),
                uri: Uri::builder().path_and_query(self.0).build().expect("a path"),
                ..Outgoing::default()
            }
        }
        fn answered(&self, _: usize, answer: &Answer) -> Verdict {
            if answer.status == 200 { Verdict::Good } else { Verdict::Bad("status") }
        }
        fn broken(&self, _: usize, _: Broken, _: u64) -> Verdict {
            Verdict::Bad("broken")
        }
    }

    fn pairs(seed: u64) -> Pairs<Even> {
        Pairs::new([even("/base"), even("/head")], seed)
    }

    fn answer(status: u16, ended: Instant) -> Answer {
        Answer {
            status,
            retry_after_seconds: None,
            read_after: None,
            server_timing: None,
            content_type: None,
            body: Bytes::new(),
            ended,
        }
    }

    #[test]
    fn each_pair_goes_to_both_in_an_order_by_chance() {
        let pairs = pairs(1);
        let mut head_first = 0;
        for pair in 0..400 {
            let [first, second] = [2 * pair, 2 * pair + 1].map(|index| pairs.request(index));
            assert_ne!(first.uri, second.uri);
            assert_eq!(first.label % 2, second.label % 2, "of one kind");
            assert_eq!((first.uri.path() == "/head"), first.label >= 2);
            head_first += u32::from(first.uri.path() == "/head");
            let apart = pairs.intended(2 * pair + 1) - pairs.intended(2 * pair);
            let wanted = if pair == 399 { APART_MAX } else { Duration::from_millis(4) };
            assert_eq!(apart, wanted);
        }
        assert!((150..=250).contains(&head_first), "{head_first} of 400");
        assert!((1..pairs.len()).all(|i| pairs.intended(i - 1) <= pairs.intended(i)));
    }

    #[test]
    fn the_seed_decides_the_order() {
        let order = |seed| pairs(seed).head_first;
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }

    #[tokio::test]
    async fn a_pair_counts_when_both_sides_answered_well() {
        let pairs = pairs(1);
        let start = Instant::now();
        pairs.starts(start);
        for (index, took_ms, status) in
            [(0, 3, 200), (1, 4, 200), (2, 3, 200), (3, 3, 500), (252, 1, 200), (253, 1, 200)]
        {
            let ended = start + pairs.intended(index) + Duration::from_millis(took_ms);
            pairs.answered(index, &answer(status, ended));
        }
        let found = pairs.answered_pairs();
        let seconds: Vec<u32> = found.iter().map(|pair| pair.second).collect();
        assert_eq!(seconds, [0, 1], "pairs 0 and 126; of pair 1 a side failed");
        let mut first = found[0].response_ns;
        first.sort_unstable();
        assert_eq!(first, [3_000_000, 4_000_000], "each from its own intended start");
    }
}
