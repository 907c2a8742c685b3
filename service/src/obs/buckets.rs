//! The bounds of every histogram. Times share one grid, dense where the objectives lie, so that
//! any two histograms can be laid over each other; every objective is one of its bounds.

use contract::{Endpoint, Family, Journey, Stage};

/// Bounds of every duration, in seconds.
pub(crate) const SECONDS: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.35, 0.5, 0.75,
    1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// Bounds of batch sizes and numbers of rows: the largest batches are 1,000 and 20,000.
pub(crate) const ITEMS: &[f64] =
    &[0.0, 1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 5_000.0, 20_000.0];

/// Bounds of statements in a request: the budgets are single ones.
pub(crate) const QUERIES: &[f64] =
    &[0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0, 50.0, 400.0, 2_100.0];

/// The grid of a family's histograms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grid {
    /// Durations, recorded in nanoseconds and told in seconds.
    Seconds,
    /// Rows and batches.
    Items,
    /// Statements of a request.
    Queries,
}

impl Grid {
    /// Every grid.
    pub(crate) const ALL: [Self; 3] = [Self::Seconds, Self::Items, Self::Queries];

    /// Which one a family has: times, but for those that count.
    pub(crate) const fn of(family: Family) -> Self {
        match family {
            Family::StageBatchSize | Family::DbClientResponseReturnedRows => Self::Items,
            Family::EndpointDbQueriesPerRequest => Self::Queries,
            _ => Self::Seconds,
        }
    }

    /// Its bounds, as they are told.
    pub(crate) const fn bounds(self) -> &'static [f64] {
        match self {
            Self::Seconds => SECONDS,
            Self::Items => ITEMS,
            Self::Queries => QUERIES,
        }
    }

    /// What is recorded for one of what is told.
    pub(crate) const fn scale(self) -> f64 {
        match self {
            Self::Seconds => 1e9,
            Self::Items | Self::Queries => 1.0,
        }
    }
}

/// The objectives that are no bound of the grid, each with its name. Empty, or the process
/// doesn't start: a percentage read from the buckets would be a guess.
pub(crate) fn objectives_off_the_grid() -> Vec<String> {
    let endpoints = Endpoint::ALL.iter().map(|row| (row.name(), row.spec().latency_ms));
    let stages = Stage::ALL.iter().map(|row| (row.name(), row.spec().lateness_ms));
    let journeys = Journey::ALL.iter().map(|row| (row.name(), row.spec().latency_ms));
    endpoints
        .chain(stages)
        .chain(journeys)
        .filter(|(_, ms)| !SECONDS.iter().any(|bound| (bound * 1e3 - f64::from(*ms)).abs() < 1e-6))
        .map(|(name, ms)| format!("{name}: {ms} ms"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::family::Kind;

    #[test]
    fn every_objective_is_a_bound() {
        assert_eq!(objectives_off_the_grid(), Vec::<String>::new());
    }

    #[test]
    fn every_query_budget_is_a_bound() {
        for endpoint in Endpoint::ALL {
            let budget = f64::from(endpoint.spec().query_budget);
            assert!(QUERIES.contains(&budget), "{}: {budget}", endpoint.name());
        }
    }

    #[test]
    fn bounds_rise() {
        for grid in Grid::ALL {
            assert!(grid.bounds().windows(2).all(|pair| pair[0] < pair[1]));
        }
    }

    #[test]
    fn what_is_called_seconds_is_counted_as_such() {
        for &family in Family::ALL.iter().filter(|f| f.spec().kind == Kind::Histogram) {
            let is_time = family.name().ends_with("_seconds");
            assert_eq!(Grid::of(family) == Grid::Seconds, is_time, "{}", family.name());
        }
    }
}
