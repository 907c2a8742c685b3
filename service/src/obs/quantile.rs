//! Percentiles read from a histogram's cells, as Prometheus' `histogram_quantile` reads them:
//! spread evenly within a cell; above the last bound there is nothing but that bound.

use super::buckets::SECONDS;
use super::histogram::CELLS;

/// The duration in seconds that a share `q` of the recorded ones does not exceed; none where
/// nothing was recorded.
pub(super) fn of(cells: &[u64; CELLS], q: f64) -> Option<f64> {
    let count: u64 = cells.iter().sum();
    if count == 0 {
        return None;
    }
    let rank = q * count as f64;
    let mut below = 0.0;
    for (cell, &n) in cells.iter().enumerate() {
        let inside = n as f64;
        if n > 0 && below + inside >= rank {
            let from = if cell == 0 { 0.0 } else { SECONDS[cell - 1] };
            let to = SECONDS.get(cell).copied().unwrap_or(from);
            return Some(from + (to - from) * (rank - below) / inside);
        }
        below += inside;
    }
    SECONDS.last().copied() // rounding put the rank above the last one
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spread_evenly_within_a_cell() {
        let mut cells = [0; CELLS];
        assert_eq!(of(&cells, 0.5), None);
        let third = SECONDS.iter().position(|&bound| bound == 0.002).unwrap();
        cells[third] = 10; // from 1 to 2 ms
        let p50 = of(&cells, 0.5).unwrap();
        assert!((p50 - 0.001_5).abs() < 1e-12, "{p50}");
        cells = [0; CELLS];
        cells[CELLS - 1] = 3;
        assert_eq!(of(&cells, 0.99), Some(60.0));
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
            let found = of(&cells, q).unwrap();
            prop_assert!((from..=to).contains(&found), "{found} is not from {from} to {to}");
        }
    }
}
