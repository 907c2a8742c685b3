//! A histogram for what is recorded on every request and every statement: atomic cells, no lock, no
//! allocation, nothing to fold until somebody asks.
//!
//! Its cells are in stripes (`stripe`), which a scrape adds up. Belongs here: counting. Never here:
//! names, labels or text.

use std::sync::atomic::{AtomicU64, Ordering};

use super::buckets::{Grid, SECONDS};
use super::exemplar::{Exemplar, Slot, TraceId};
use super::stripe::{self, Apart, STRIPES};

/// The bounds of each grid as they are recorded.
static BOUNDS: [[u64; SECONDS.len()]; Grid::ALL.len()] = {
    let mut bounds = [[u64::MAX; SECONDS.len()]; Grid::ALL.len()];
    let mut grid = 0;
    while grid < bounds.len() {
        let (told, scale) = (Grid::ALL[grid].bounds(), Grid::ALL[grid].scale());
        let mut i = 0;
        while i < told.len() {
            bounds[grid][i] = (told[i] * scale + 0.5) as u64;
            i += 1;
        }
        grid += 1;
    }
    bounds
};

/// One for each bound of the longest grid, that of the times, and one for what is above them all.
pub(crate) const CELLS: usize = SECONDS.len() + 1;

#[derive(Debug)]
struct Stripe {
    cells: [AtomicU64; CELLS],
    sum: AtomicU64,
}

/// A histogram over one of the grids.
#[derive(Debug)]
pub(crate) struct Histogram {
    grid: Grid,
    bounds: &'static [u64],
    stripes: [Apart<Stripe>; STRIPES],
    exemplars: [Slot; CELLS],
}

/// What a histogram held at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Snapshot {
    /// How many fell into each cell, not added up.
    pub(crate) cells: [u64; CELLS],
    /// The sum of all of them, in seconds where they are times.
    pub(crate) sum: f64,
}

impl Snapshot {
    /// How many were recorded.
    pub(crate) fn count(&self) -> u64 {
        self.cells.iter().sum()
    }

    /// Adds another's to these.
    pub(crate) fn add(&mut self, other: &Self) {
        for (cell, n) in self.cells.iter_mut().zip(other.cells) {
            *cell += n;
        }
        self.sum += other.sum;
    }

    /// What came since an earlier snapshot of the same histogram.
    #[must_use]
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            cells: std::array::from_fn(|i| self.cells[i].saturating_sub(earlier.cells[i])),
            sum: (self.sum - earlier.sum).max(0.0),
        }
    }

    /// Below which a share of the durations lies, in seconds: read from the cells, within which
    /// they are taken to be spread evenly, as Prometheus' `histogram_quantile` does it. What lies
    /// above all bounds is told as the last one. Nothing of nothing.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = share * count as f64;
        let mut below = 0.0;
        for (i, &n) in self.cells.iter().enumerate() {
            let n = n as f64;
            if n > 0.0 && below + n >= rank {
                let from = if i == 0 { 0.0 } else { SECONDS[i - 1] };
                let to = SECONDS.get(i).copied().unwrap_or(from);
                return Some(from + (to - from) * ((rank - below) / n).clamp(0.0, 1.0));
            }
            below += n;
        }
        SECONDS.last().copied()
    }
}

impl Default for Snapshot {
    fn default() -> Self {
        Self { cells: [0; CELLS], sum: 0.0 }
    }
}

impl Histogram {
    pub(crate) fn new(grid: Grid) -> Self {
        let stripe =
            || Stripe { cells: [const { AtomicU64::new(0) }; CELLS], sum: AtomicU64::new(0) };
        Self {
            grid,
            bounds: &BOUNDS[grid as usize][..grid.bounds().len()],
            stripes: std::array::from_fn(|_| Apart(stripe())),
            exemplars: [const { Slot::new() }; CELLS],
        }
    }

    /// Which bounds it has.
    pub(crate) const fn grid(&self) -> Grid {
        self.grid
    }

    /// Counts one, of so many nanoseconds where it is a time; with a trace, it may become its
    /// cell's example.
    pub(crate) fn record(&self, value: u64, trace: Option<TraceId>) {
        let cell = self.add(value, 1);
        if let Some(trace) = trace {
            self.exemplars[cell].offer(trace, value);
        }
    }

    /// Offers an example of what was counted before.
    pub(crate) fn shows(&self, value: u64, trace: TraceId) {
        self.exemplars[self.cell(value)].offer(trace, value);
    }

    /// Counts the same several times.
    pub(crate) fn record_many(&self, value: u64, n: u64) {
        self.add(value, n);
    }

    fn cell(&self, value: u64) -> usize {
        self.bounds.partition_point(|&bound| bound < value)
    }

    fn add(&self, value: u64, n: u64) -> usize {
        let cell = self.cell(value);
        let stripe = &self.stripes[stripe::own()].0;
        stripe.cells[cell].fetch_add(n, Ordering::Relaxed);
        stripe.sum.fetch_add(value.saturating_mul(n), Ordering::Relaxed);
        cell
    }

    /// Adds the stripes up. What is recorded meanwhile is in or out, each one wholly in the
    /// cells; the sum may be ahead or behind by those few.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let load = |atomic: &AtomicU64| atomic.load(Ordering::Relaxed);
        let cells = std::array::from_fn(|i| self.stripes.iter().map(|s| load(&s.0.cells[i])).sum());
        let sum: f64 = self.stripes.iter().map(|s| load(&s.0.sum) as f64).sum();
        Snapshot { cells, sum: sum / self.grid.scale() }
    }

    /// The newest example of a cell.
    pub(crate) fn exemplar(&self, cell: usize) -> Option<Exemplar> {
        self.exemplars[cell].read()
    }
}

/// The facade knows no nanoseconds.
impl metrics::HistogramFn for Histogram {
    fn record(&self, told: f64) {
        self.record(recorded(told * self.grid.scale()), None);
    }

    fn record_many(&self, told: f64, n: usize) {
        self.record_many(recorded(told * self.grid.scale()), n as u64);
    }
}

/// A duration as it is counted.
pub(crate) fn nanos_of(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// To the nearest; negative and none count as zero.
fn recorded(value: f64) -> u64 {
    (value + 0.5) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bound_is_inside_of_its_cell_and_a_nanosecond_more_is_not() {
        for (i, &bound) in BOUNDS[Grid::Seconds as usize].iter().enumerate() {
            let histogram = Histogram::new(Grid::Seconds);
            histogram.record(bound, None);
            histogram.record(bound + 1, None);
            metrics::HistogramFn::record(&histogram, SECONDS[i]);
            let cells = histogram.snapshot().cells;
            assert_eq!((cells[i], cells[i + 1]), (2, 1), "{bound}");
        }
    }

    #[test]
    fn what_counts_things_has_their_bounds() {
        let histogram = Histogram::new(Grid::Items);
        for rows in [0, 1, 2, 3, 1_000, 20_000, 20_001] {
            histogram.record(rows, None);
        }
        let snapshot = histogram.snapshot();
        assert_eq!(snapshot.cells[..5], [1, 1, 1, 1, 0]);
        let last = Grid::Items.bounds().len();
        assert_eq!(snapshot.cells[last - 3..=last], [1, 0, 1, 1]);
        assert!((snapshot.sum - 41_007.0).abs() < 1e-9, "{}", snapshot.sum);
        metrics::HistogramFn::record(&histogram, 3.0);
        assert_eq!(histogram.snapshot().cells[3], 2);
    }

    #[test]
    fn what_is_no_duration_counts_as_none() {
        let histogram = Histogram::new(Grid::Seconds);
        for seconds in [-1.0, f64::NAN, f64::NEG_INFINITY] {
            metrics::HistogramFn::record(&histogram, seconds);
        }
        metrics::HistogramFn::record(&histogram, f64::INFINITY);
        let snapshot = histogram.snapshot();
        assert_eq!((snapshot.cells[0], snapshot.cells[CELLS - 1]), (3, 1));
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let histogram = Histogram::new(Grid::Seconds);
        std::thread::scope(|scope| {
            for _ in 0..STRIPES + 2 {
                scope.spawn(|| (0..10_000).for_each(|_| histogram.record(3_000_000, None)));
            }
            // A scrape in the middle sees no more than there is.
            assert!(histogram.snapshot().count() <= 60_000);
        });
        let snapshot = histogram.snapshot();
        assert_eq!(snapshot.count(), 60_000);
        assert!((snapshot.sum - 180.0).abs() < 1e-6, "{}", snapshot.sum);
    }

    #[test]
    fn quantiles_are_read_from_the_cells() {
        let histogram = Histogram::new(Grid::Seconds);
        assert_eq!(histogram.snapshot().quantile(0.5), None);
        let before = histogram.snapshot();
        histogram.record_many(3_000_000, 90); // above 2 ms, up to 5 ms
        histogram.record_many(40_000_000, 10); // above 20 ms, up to 50 ms
        let now = histogram.snapshot().since(&before);
        let near = |share: f64, seconds: f64| {
            let read = now.quantile(share).unwrap();
            assert!((read - seconds).abs() < 1e-9, "{share}: {read}");
        };
        near(0.45, 0.0035);
        near(0.9, 0.005);
        near(0.95, 0.035);
        near(1.0, 0.05);
        // Above all bounds the last one is what can be said.
        let mut above = Snapshot::default();
        above.cells[CELLS - 1] = 1;
        assert_eq!(above.quantile(0.99), Some(60.0));
        above.add(&now);
        assert_eq!(above.count(), 101);
    }

    proptest! {
        #[test]
        fn within_the_cell_of_the_true_one(
            durations in prop::collection::vec(0.0_f64..70.0, 1..200), q in 0.01_f64..1.0,
        ) {
            let cell_of = |seconds: f64| SECONDS.partition_point(|&bound| bound < seconds);
            let mut cells = [0; CELLS];
            durations.iter().for_each(|&seconds| cells[cell_of(seconds)] += 1);
            let mut sorted = durations.clone();
            sorted.sort_by(f64::total_cmp);
            let rank = (q * sorted.len() as f64).ceil().max(1.0) as usize - 1;
            let cell = cell_of(sorted[rank]);
            let from = if cell == 0 { 0.0 } else { SECONDS[cell - 1] };
            let to = SECONDS.get(cell).copied().unwrap_or(60.0);
            let found = Snapshot { cells, sum: 0.0 }.quantile(q).unwrap();
            prop_assert!((from..=to).contains(&found), "{found} is not from {from} to {to}");
        }

        #[test]
        fn cells_and_sum_are_those_of_a_plain_count(
            durations in prop::collection::vec(0_u64..100_000_000_000, 0..200),
        ) {
            let histogram = Histogram::new(Grid::Seconds);
            let mut plain = [0; CELLS];
            for &nanos in &durations {
                histogram.record(nanos, None);
                let cell = SECONDS.partition_point(|&bound| bound * 1e9 < nanos as f64);
                plain[cell] += 1;
            }
            let snapshot = histogram.snapshot();
            prop_assert_eq!(snapshot.cells, plain);
            let sum = durations.iter().sum::<u64>() as f64 / 1e9;
            prop_assert!((snapshot.sum - sum).abs() <= 1e-9 * sum.max(1.0));
        }
    }
}
