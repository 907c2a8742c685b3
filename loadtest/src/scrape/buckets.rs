//! Histograms as Prometheus' text has them: cumulative counts by upper bound.
//!
//! Belongs here: adding, subtracting and reading them. Never here: which series they come from
//! (`scrape`).

/// A histogram by its cumulative buckets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Buckets {
    /// Upper bound and how many are at or below it, the bounds rising, the last infinite.
    pub cumulative: Vec<(f64, f64)>,
}

impl Buckets {
    /// Adds to what is at or below a bound.
    pub(super) fn add(&mut self, bound: f64, count: f64) {
        match self.cumulative.binary_search_by(|(b, _)| b.total_cmp(&bound)) {
            Ok(place) => self.cumulative[place].1 += count,
            Err(place) => self.cumulative.insert(place, (bound, count)),
        }
    }

    /// Adds another process's.
    pub fn merge(&mut self, other: &Self) {
        other.cumulative.iter().for_each(|(bound, count)| self.add(*bound, *count));
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.cumulative.last().map_or(0, |(_, count)| *count as u64)
    }

    /// How many came since an earlier reading of the same histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |bound: f64| {
            earlier.cumulative.iter().find(|(b, _)| *b == bound).map_or(0.0, |(_, count)| *count)
        };
        let cumulative =
            self.cumulative.iter().map(|(b, count)| (*b, (count - before(*b)).max(0.0)));
        Self { cumulative: cumulative.collect() }
    }

    /// A quantile, interpolated within its bucket as Prometheus does; what lies beyond the last
    /// finite bound reads as that bound. `None` when empty.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let total = self.cumulative.last()?.1;
        if total <= 0.0 {
            return None;
        }
        let rank = q * total;
        let at = self.cumulative.iter().position(|(_, count)| *count >= rank)?;
        let (bound, count) = self.cumulative[at];
        let (low, below) = if at == 0 { (0.0, 0.0) } else { self.cumulative[at - 1] };
        if bound.is_infinite() {
            return Some(low);
        }
        if count <= below {
            return Some(bound);
        }
        Some(low + (bound - low) * (rank - below) / (count - below))
    }

    /// The share at or below a bound; exact when it is a bucket's. `None` when empty.
    #[must_use]
    pub fn share_within(&self, bound: f64) -> Option<f64> {
        let total = self.cumulative.last().map(|(_, count)| *count).filter(|n| *n > 0.0)?;
        let within = self.cumulative.iter().rev().find(|(b, _)| *b <= bound + 1e-9);
        Some(within.map_or(0.0, |(_, count)| *count) / total)
    }
}
