//! What was seen lately: a minute of whole looks, from which the rates and quantiles of the last
//! minute are taken, and two minutes of the few numbers that are drawn.
//!
//! Never here: the document's shape (`document`), or how its parts are put together (`parts`).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use contract::{Journey, Pool, Stage};

use super::document::Document;
use super::parts;
use super::sample::Sample;
use crate::readiness::Latch;

/// Looks that are kept whole: the last minute is from the first of them to the last.
const WHOLE: usize = 61;
/// Points of a sparkline.
pub(super) const POINTS: usize = 120;
/// What is out of hand for this long is not only between two places.
const SETTLED: usize = 30;

/// What is drawn of one second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Point {
    /// Journeys that ended, and those that were not good.
    pub(super) journeys: [(u32, u32); Journey::COUNT],
    /// Items of each stage.
    pub(super) stages: [u32; Stage::COUNT],
    /// Reminders that fell due.
    pub(super) due: u32,
    /// Connections in use.
    pub(super) pools: [u32; Pool::COUNT],
}

/// The last two minutes.
pub(super) struct History {
    started: Instant,
    /// Never empty.
    whole: VecDeque<Sample>,
    points: VecDeque<Point>,
    /// What was in hand and not with the provider, for as long as tells the one from the other.
    loose: VecDeque<i64>,
}

impl History {
    /// A history that begins now.
    pub(super) fn starting(first: Sample) -> Self {
        let started = first.at;
        let whole = VecDeque::from([first]);
        Self { started, whole, points: VecDeque::new(), loose: VecDeque::new() }
    }

    /// Adds a look, and forgets what is too old.
    pub(super) fn push(&mut self, sample: Sample) {
        let point = point(&sample, self.newest());
        keep(&mut self.loose, sample.in_hand() - sample.at_provider(), SETTLED);
        keep(&mut self.points, point, POINTS);
        keep(&mut self.whole, sample, WHOLE);
    }

    /// The last look.
    pub(super) fn newest(&self) -> &Sample {
        self.whole.back().expect("it begins with one and keeps sixty-one")
    }

    /// The one a minute before it, or the first one.
    pub(super) fn oldest(&self) -> &Sample {
        self.whole.front().expect("it begins with one and keeps sixty-one")
    }

    /// How long the process has been looking at itself, which is as long as it runs.
    pub(super) fn uptime(&self) -> Duration {
        self.newest().at.duration_since(self.started)
    }

    /// From the oldest look to the newest.
    pub(super) fn seconds(&self) -> f64 {
        self.newest().at.duration_since(self.oldest().at).as_secs_f64()
    }

    /// Texts of which this process doesn't know where they are. Reads of several counters are not
    /// of one instant, so that a single look may be off by a batch; what is off in every one of
    /// the last thirty seconds isn't there. Nothing before thirty seconds have been seen.
    pub(super) fn unaccounted(&self) -> Option<i64> {
        let is_known = self.loose.len() == SETTLED;
        is_known.then(|| self.loose.iter().copied().min_by_key(|n| n.abs()).unwrap_or(0))
    }

    /// One number of every point, the oldest first.
    pub(super) fn line(&self, of: impl Fn(&Point) -> u32) -> Vec<u32> {
        self.points.iter().map(of).collect()
    }

    /// Everything as the page wants it.
    pub(super) fn document(&self, missing: &[Latch]) -> Document {
        parts::document(self, missing)
    }
}

fn keep<T>(ring: &mut VecDeque<T>, new: T, most: usize) {
    if ring.len() == most {
        ring.pop_front();
    }
    ring.push_back(new);
}

fn point(now: &Sample, before: &Sample) -> Point {
    let less =
        |now: u64, before: u64| u32::try_from(now.saturating_sub(before)).unwrap_or(u32::MAX);
    Point {
        journeys: std::array::from_fn(|i| {
            let (now, before) = (now.journeys[i].1, before.journeys[i].1);
            let all = less(now.all, before.all);
            (all, all.saturating_sub(less(now.good, before.good)))
        }),
        stages: std::array::from_fn(|i| less(now.stages[i].did.items, before.stages[i].did.items)),
        due: less(now.due, before.due),
        pools: std::array::from_fn(|i| now.pools.get(i).map_or(0, |pool| pool.is.used as u32)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::obs::slo::Judged;

    fn sample(claimed: u64, settled: u64, with_provider: u64) -> Sample {
        let mut sample = Sample::take();
        sample.stages[Stage::Claim.index()].did.items = claimed;
        sample.stages[Stage::Resolve.index()].did.items = 0;
        sample.stages[Stage::Settle.index()].did.items = settled;
        sample.stages[Stage::Deliver.index()].did.in_flight = with_provider;
        sample.stages[Stage::Resolve.index()].did.in_flight = 0;
        sample
    }

    #[test]
    fn a_line_has_the_differences_and_the_newest_last() {
        let with = |all, good| {
            let mut sample = sample(all, all, 0);
            sample.journeys[1].1 = Judged { all, good };
            sample
        };
        let mut history = History::starting(with(5, 5));
        for n in 1..=200 {
            history.push(with(5 + n * 3, 5 + n * 2));
        }
        let line = history.line(|point| point.journeys[1].0);
        assert_eq!((line.len(), line[0], line[POINTS - 1]), (POINTS, 3, 3));
        assert_eq!(history.line(|point| point.journeys[1].1)[7], 1);
        let (newest, oldest) = (history.newest(), history.oldest());
        assert_eq!(newest.journeys[1].1.all - oldest.journeys[1].1.all, 60 * 3);
    }

    #[test]
    fn what_is_between_two_places_is_not_lost() {
        let mut history = History::starting(sample(0, 0, 0));
        for n in 1..SETTLED as u64 {
            history.push(sample(n * 10 + n % 7, n * 10, 0));
            assert_eq!(history.unaccounted(), None, "too early to say");
        }
        history.push(sample(1_000, 1_000, 0));
        assert_eq!(history.unaccounted(), Some(0), "once all were there");
        for n in 0..SETTLED as u64 {
            history.push(sample(2_000 + n, 1_900, 97 + n % 2));
        }
        assert_eq!(history.unaccounted(), Some(3), "three at the least have been away");
    }
}
