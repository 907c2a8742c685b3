//! Slow, failed and aborted requests and texts that were kept with their waterfalls, as the page
//! lists them: the newest of each route, so that a busy one can't crowd out the others.
//!
//! Never here: which ones are kept (`obs::kept`).

use super::document::{Kept, Span};
use super::parts::{ms, since_epoch_ms};
use crate::obs::kept::{self, Route};

/// Most that are listed, and most of one route among them. One is about a kilobyte of the document.
const LISTED: usize = 16;
const OF_ROUTE: usize = 4;

/// The bad ones, the newest first; where there are few, one good one of each route for comparison.
pub(super) fn kept() -> Vec<Kept> {
    let newest = |route: Route| kept::bad(route).into_iter().take(OF_ROUTE);
    let mut listed: Vec<kept::Kept> = Route::all().flat_map(newest).collect();
    listed.sort_by_key(|kept| std::cmp::Reverse(kept.at));
    listed.truncate(LISTED);
    if listed.len() < LISTED {
        let mut good: Vec<kept::Kept> =
            Route::all().filter_map(|route| kept::sample(route).into_iter().next()).collect();
        good.sort_by_key(|kept| std::cmp::Reverse(kept.at));
        good.truncate(LISTED - listed.len());
        listed.extend(good);
    }
    listed.iter().map(shown).collect()
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
