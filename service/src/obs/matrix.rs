//! Who runs which statement how often: a request for itself, a stage of the work (the group commit
//! is the stages that plan and receive), or the process. With how many turns each of them had,
//! that is statements by request and by batch.
//!
//! Belongs here: counting, for people who ask on the admin port. Never here: a series for each
//! pair, which would be thousands, nearly all of them for ever zero.

use std::sync::atomic::{AtomicU64, Ordering};

use contract::Query;

use super::holder::{HOLDERS, Holder};
use super::registered::IS_MEASURED;
use super::stripe::{self, STRIPES};

struct Counts {
    turns: AtomicU64,
    calls: [AtomicU64; Query::COUNT],
    rows: [AtomicU64; Query::COUNT],
}

/// Some 60 of them with two counters for each of 140 statements, in stripes: 540 kB, most of it
/// never touched.
static COUNTS: [[Counts; HOLDERS]; STRIPES] = [const {
    [const {
        Counts {
            turns: AtomicU64::new(0),
            calls: [const { AtomicU64::new(0) }; Query::COUNT],
            rows: [const { AtomicU64::new(0) }; Query::COUNT],
        }
    }; HOLDERS]
}; STRIPES];

fn own(holder: Holder) -> &'static Counts {
    &COUNTS[stripe::own()][holder.index()]
}

/// What one of them ran.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// Who.
    pub(crate) holder: Holder,
    /// Requests that ended, or batches that were worked on; none for the process.
    pub(crate) turns: u64,
    /// The statements that it ran.
    pub(crate) cells: Vec<Cell>,
}

/// How often one of them ran a statement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cell {
    /// Which.
    pub(crate) query: Query,
    /// How often.
    pub(crate) calls: u64,
    /// Rows that it returned or touched.
    pub(crate) rows: u64,
}

/// Counts a statement.
pub(crate) fn ran(holder: Holder, query: Query, rows: u64) {
    if !IS_MEASURED {
        return;
    }
    let counts = own(holder);
    counts.calls[query.index()].fetch_add(1, Ordering::Relaxed);
    counts.rows[query.index()].fetch_add(rows, Ordering::Relaxed);
}

/// Counts a request that ended or a batch that was worked on.
pub(super) fn turn(holder: Holder) {
    if !IS_MEASURED {
        return;
    }
    own(holder).turns.fetch_add(1, Ordering::Relaxed);
}

/// Everybody who had a turn or ran something.
pub(crate) fn read() -> Vec<Row> {
    let row = |holder: Holder| {
        let sum = |of: &dyn Fn(&Counts) -> &AtomicU64| {
            let stripes = COUNTS.iter().map(|counts| of(&counts[holder.index()]));
            stripes.map(|count| count.load(Ordering::Relaxed)).sum()
        };
        let cells = Query::ALL.iter().map(|&query| Cell {
            query,
            calls: sum(&|counts| &counts.calls[query.index()]),
            rows: sum(&|counts| &counts.rows[query.index()]),
        });
        let cells = cells.filter(|cell| cell.calls > 0).collect();
        Row { holder, turns: sum(&|counts| &counts.turns), cells }
    };
    Holder::all().map(row).filter(|row| row.turns > 0 || !row.cells.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::Stage;

    #[test]
    fn counted_where_it_ran() {
        // Nothing else in the unit tests' process delivers.
        let deliver = Holder::Stage(Stage::Deliver);
        turn(deliver);
        ran(deliver, Query::ClaimLanes, 50);
        ran(deliver, Query::ClaimLanes, 2);
        let rows = read();
        let row = rows.iter().find(|row| row.holder == deliver).unwrap();
        let cell = Cell { query: Query::ClaimLanes, calls: 2, rows: 52 };
        assert_eq!((row.turns, row.cells.as_slice()), (1, &[cell][..]));
    }

    #[test]
    fn everybody_has_a_place_of_their_own() {
        let places: Vec<usize> = Holder::all().map(Holder::index).collect();
        assert_eq!(places, (0..HOLDERS).collect::<Vec<_>>());
    }
}
