//! Slow, failed and aborted requests and texts that were kept with their waterfalls, as the page
//! lists them: the newest of each route and reason, so that neither a busy route nor a storm of
//! failures can crowd out the others.
//!
//! Never here: which ones are kept (`obs::kept`).

use std::cmp::Reverse;

use super::document::{Kept, Span};
use super::parts::{ms, since_epoch_ms};
use crate::obs::kept::{self, Route, Why};

/// Most that are listed, and most of one route and reason among them. One is about a kilobyte of
/// the document.
const LISTED: usize = 16;
const OF_ROUTE: usize = 4;

/// The bad ones, the newest first; where there are few, one good one of each route for comparison.
pub(super) fn kept() -> Vec<Kept> {
    let mut listed = chosen(Route::all().map(kept::bad));
    listed.sort_by_key(|kept| Reverse(kept.at));
    if listed.len() < LISTED {
        let mut good: Vec<kept::Kept> =
            Route::all().filter_map(|route| kept::sample(route).into_iter().next()).collect();
        good.sort_by_key(|kept| Reverse(kept.at));
        good.truncate(LISTED - listed.len());
        listed.extend(good);
    }
    listed.iter().map(shown).collect()
}

/// Those that are listed of each route's bad ones, which come the newest first. The reasons choose
/// in turns, and within a reason the routes: no storm takes all places.
fn chosen(routes: impl Iterator<Item = Vec<kept::Kept>>) -> Vec<kept::Kept> {
    let routes: Vec<Vec<kept::Kept>> = routes.collect();
    let mut all = Vec::new();
    for why in Why::BAD {
        let newest = |of: &Vec<kept::Kept>| -> Vec<(usize, kept::Kept)> {
            let of = of.iter().filter(|kept| kept.why == why);
            of.take(OF_ROUTE).cloned().enumerate().collect()
        };
        let mut of_reason: Vec<(usize, kept::Kept)> = routes.iter().flat_map(newest).collect();
        of_reason.sort_by_key(|(turn, kept)| (*turn, Reverse(kept.at)));
        all.extend(of_reason.into_iter().map(|(_, kept)| kept).enumerate());
    }
    all.sort_by_key(|(turn, kept)| (*turn, Reverse(kept.at)));
    all.into_iter().map(|(_, kept)| kept).take(LISTED).collect()
}

fn shown(kept: &kept::Kept) -> Kept {
    Kept {
        trace_id: kept.trace.to_string(),
        route: kept.route.name(),
        at: since_epoch_ms(kept.at),
        took_ms: ms(kept.took.as_secs_f64()),
        outcome: kept.outcome,
        status: kept.status,
        why: kept.why.name(),
        spans: kept
            .spans
            .iter()
            .map(|span| Span {
                name: span.what.name(),
                kind: span.what.kind(),
                start_ms: ms(span.start.as_secs_f64()),
                took_ms: ms(span.took.as_secs_f64()),
                rows: u64::from(span.rows),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use contract::Endpoint;

    use super::*;
    use crate::obs::exemplar::TraceId;

    fn flight(route: Route, why: Why, second: u64) -> kept::Kept {
        kept::Kept {
            trace: TraceId::from_random(u128::from(second)),
            route,
            at: SystemTime::UNIX_EPOCH + Duration::from_secs(second),
            took: Duration::from_secs(1),
            outcome: why.name(),
            status: 200,
            why,
            spans: Vec::new(),
            dropped: 0,
        }
    }

    /// Every route fails by the dozen, after one of them was slow.
    #[test]
    fn a_storm_of_failures_leaves_room_for_the_slow_one_before_it() {
        let routes = Route::all().map(|route| {
            let mut bad: Vec<_> =
                (100..130).rev().map(|second| flight(route, Why::Failed, second)).collect();
            if route == Route::Endpoint(Endpoint::ReadAppointment) {
                bad.extend([flight(route, Why::Aborted, 2), flight(route, Why::Slow, 1)]);
            }
            bad
        });
        let chosen = chosen(routes);
        assert_eq!(chosen.len(), LISTED);
        let of = |why: Why| chosen.iter().filter(|kept| kept.why == why).count();
        assert_eq!(Why::BAD.map(of), [1, LISTED - 2, 1]);
        let failed = chosen.iter().filter(|kept| kept.why == Why::Failed);
        let routes: std::collections::BTreeSet<_> = failed.map(|kept| kept.route.name()).collect();
        assert_eq!(routes.len(), LISTED - 2, "each of another route");
    }

    #[test]
    fn one_route_alone_has_the_newest_of_each_reason() {
        let bad: Vec<_> = (0..30)
            .rev()
            .map(|second| flight(Route::Message, Why::BAD[second as usize % 3], second))
            .collect();
        let mut chosen = chosen(std::iter::once(bad));
        chosen.sort_by_key(|kept| kept.at);
        let seconds: Vec<TraceId> = chosen.iter().map(|kept| kept.trace).collect();
        let newest: Vec<_> = (18..30).map(TraceId::from_random).collect();
        assert_eq!(seconds, newest);
    }
}
