//! Windows of a duet: in each, a quantile of the one side over that of the other. Both sides of a
//! pair were sent within milliseconds, so what the machine did in a window it did to both.
//!
//! A window is a second, or as many as a quantile needs to mean something. Spoilt seconds are left
//! out. Never here: which seconds are spoilt (`engine::machine`), intervals.

use super::quantile;

/// A pair of which both were answered well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gate) struct Pair {
    /// The second of its intended start.
    pub(in crate::gate) second: u32,
    /// Its kind.
    pub(in crate::gate) kind: u16,
    /// Response of base and head, from their intended starts, in nanoseconds.
    pub(in crate::gate) response_ns: [u64; 2],
}

/// A window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::gate) struct Window {
    /// Its first second.
    pub(in crate::gate) second: u32,
    /// Its pairs.
    pub(in crate::gate) pairs: usize,
    /// The quantile of base and of head in it, in nanoseconds.
    pub(in crate::gate) ns: [u64; 2],
}

impl Window {
    /// The logarithm of head over base: what is twice as slow and what is twice as fast are
    /// equally far from 0.
    pub(in crate::gate) fn log_ratio(&self) -> f64 {
        let [base, head] = self.ns.map(|ns| ns.max(1) as f64);
        (head / base).ln()
    }
}

/// Pairs that a window has at least: enough for its middle, and for a tail that two are beyond.
pub(in crate::gate) fn pairs_needed(share: f64) -> usize {
    // Rounded first, as 2 ÷ (1 − 0.99) is a hair above 200.
    let tail = (2.0 / (1.0 - share) * 1e6).round() / 1e6;
    (tail.ceil() as usize).max(10)
}

/// Cuts pairs in the order of time into windows, each with enough of them; what is left over at
/// the end is in none.
pub(in crate::gate) fn cut(
    pairs: impl Iterator<Item = Pair>,
    spoilt: &[bool],
    share: f64,
) -> Vec<Window> {
    let needed = pairs_needed(share);
    let mut windows = Vec::new();
    let mut open: Vec<Pair> = Vec::new();
    let is_spoilt = |second: u32| spoilt.get(second as usize).copied().unwrap_or(true);
    for pair in pairs.filter(|pair| !is_spoilt(pair.second)) {
        let is_next = open.last().is_some_and(|last| last.second != pair.second);
        if is_next && open.len() >= needed {
            windows.extend(close(&open, share));
            open.clear();
        }
        open.push(pair);
    }
    if open.len() >= needed {
        windows.extend(close(&open, share));
    }
    windows
}

fn close(pairs: &[Pair], share: f64) -> Option<Window> {
    let of = |side: usize| {
        let mut values: Vec<u64> = pairs.iter().map(|pair| pair.response_ns[side]).collect();
        quantile(&mut values, share)
    };
    Some(Window { second: pairs.first()?.second, pairs: pairs.len(), ns: [of(0)?, of(1)?] })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pair(second: u32, base: u64, head: u64) -> Pair {
        Pair { second, kind: 0, response_ns: [base, head] }
    }

    #[test]
    fn a_window_is_a_second_with_enough_pairs() {
        let pairs = (0..4).flat_map(|second| (0..10).map(move |i| pair(second, 100 + i, 200 + i)));
        let windows = cut(pairs, &[false; 4], 0.5);
        let seconds: Vec<u32> = windows.iter().map(|window| window.second).collect();
        assert_eq!(seconds, [0, 1, 2, 3]);
        assert_eq!(windows[0].ns, [104, 204]);
        assert!((windows[0].log_ratio() - (204.0_f64 / 104.0).ln()).abs() < 1e-12);
    }

    #[test]
    fn it_grows_until_it_has_enough_and_leaves_spoilt_seconds_out() {
        let pairs = (0..12).flat_map(|second| (0..5).map(move |_| pair(second, 10, 10)));
        let spoilt: Vec<bool> = (0..12).map(|second| second == 1).collect();
        let windows = cut(pairs, &spoilt, 0.9);
        let seen: Vec<(u32, usize)> = windows.iter().map(|w| (w.second, w.pairs)).collect();
        assert_eq!(seen, [(0, 20), (5, 20)], "seconds 0 and 2 to 4, then 5 to 8; 9 to 11 are few");
        let none = cut([pair(3, 1, 1)].into_iter(), &[false], 0.5);
        assert_eq!(none, [], "of a second that nobody watched");
    }

    #[test]
    fn a_tail_needs_more_than_a_middle() {
        assert_eq!([0.5, 0.9, 0.99].map(pairs_needed), [10, 20, 200]);
    }

    proptest! {
        #[test]
        fn no_pair_is_in_two_windows_and_each_has_enough(
            counts in prop::collection::vec((0_usize..30, any::<bool>()), 1..60),
        ) {
            let spoilt: Vec<bool> = counts.iter().map(|(_, spoilt)| *spoilt).collect();
            let pairs: Vec<Pair> = counts
                .iter()
                .zip(0..)
                .flat_map(|((n, _), second)| vec![pair(second, 5, 7); *n])
                .collect();
            let windows = cut(pairs.iter().copied(), &spoilt, 0.9);
            let clean = pairs.iter().filter(|pair| !spoilt[pair.second as usize]).count();
            let used: usize = windows.iter().map(|window| window.pairs).sum();
            prop_assert!(used <= clean && clean - used < 20 + 30);
            prop_assert!(windows.iter().all(|window| window.pairs >= 20 && window.ns == [5, 7]));
            prop_assert!(windows.windows(2).all(|two| two[0].second < two[1].second));
        }
    }
}
