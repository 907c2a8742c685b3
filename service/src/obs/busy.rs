//! The recorder as it is after a busy day, for the benchmark of a scrape: an empty one is printed
//! faster than any that somebody would look at.
//!
//! Belongs here: made-up measurements. Never here: anything that a process of the service calls.

use std::time::{Duration, Instant};

use contract::{Endpoint, Query, QueryOutcome, RequestOutcome};

use super::buckets::Grid;
use super::exemplar::{self, TraceId};
use super::flight::Flight;
use super::http::{self, Begun, Finished, finished};
use super::kept::{self, Ending, Landed, Route};
use super::registered::Lap;
use super::registry;
use super::request::Scope;

/// Long enough for a route's newest bad flights, its sample and the one before.
const SECONDS: u64 = 130;
/// Requests of a route in each of them, half of them bad.
const A_SECOND: usize = 32;
/// Statements of each.
const STATEMENTS: usize = 8;

/// Counts in every cell of every histogram, and rings that are full of flights.
pub(crate) fn fill() {
    for family in registry::histograms() {
        for series in registry::HISTOGRAMS.all(family) {
            let grid = Grid::of(family);
            let above = grid.bounds().last().map_or(0.0, |last| last * 1.5);
            for bound in grid.bounds().iter().chain([&above]) {
                let value = (bound * grid.scale()) as u64;
                series.cell.record_many(value, rand::random_range(1..1_000_000));
            }
        }
    }
    for second in 0..SECONDS {
        exemplar::tick_at(1_700_000_000 + second);
        for n in 0..A_SECOND {
            Endpoint::ALL.iter().for_each(|&endpoint| end(endpoint, n % 2 == 0));
            land();
        }
        kept::tick();
    }
}

/// As likely to be in any of the cells as in any other.
fn some_time() -> Duration {
    let bounds = Grid::Seconds.bounds();
    let at = rand::random_range(0..bounds.len());
    Duration::from_secs_f64(bounds[at] * rand::random_range(0.8..1.2))
}

fn some_statements(of: impl Fn(Query, (contract::Pool, QueryOutcome), Lap)) {
    for _ in 0..STATEMENTS {
        let query = Query::ALL[rand::random_range(0..Query::COUNT)];
        let pools: Vec<_> = query.pools().collect();
        let how = (pools[rand::random_range(0..pools.len())], QueryOutcome::Ok);
        of(query, how, Lap { ended: Some(Instant::now()), took: some_time() });
    }
}

fn end(endpoint: Endpoint, is_bad: bool) {
    let scope = Scope::new(TraceId::from_random(rand::random()), Instant::now());
    some_statements(|query, how, lap| scope.ran(query, how, lap, 1));
    let first_byte = endpoint.spec().streams.then(some_time);
    if let Some(took) = first_byte {
        let status = super::status::successes(endpoint)[0];
        http::first_byte(&Begun { endpoint, status, took, scope: &scope });
    }
    let objective = Duration::from_millis(u64::from(endpoint.spec().latency_ms));
    finished(&Finished {
        endpoint: Some(endpoint),
        id: "made-up",
        caller: &"nobody",
        status: if is_bad { 503 } else { super::status::successes(endpoint)[0] },
        outcome: if is_bad { RequestOutcome::Failed } else { RequestOutcome::Ok },
        code: "",
        cause: "",
        took: if is_bad { some_time() } else { some_time().min(objective) },
        first_byte,
        bytes_in: 0,
        bytes_out: 0,
        scope: &scope,
    });
}

fn land() {
    let flight = Flight::new(TraceId::from_random(rand::random()), Instant::now());
    some_statements(|query, how, lap| flight.ran(query, how, lap, 1));
    kept::offer(&Landed {
        flight: &flight,
        route: Route::Message,
        took: some_time(),
        is_slow: some_time() > Duration::from_secs(1),
        ending: Ending::Good,
        outcome: "sent",
        status: 201,
    });
}
