//! `GET /debug/slow?route=…`

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::flights::{self, FlightShape, millis};
use crate::http::{Code, Problem, Request, Response};
use crate::obs::kept::{self, Kept, Route, Why};

/// What a route has kept.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SlowShape {
    route: &'static str,
    /// All routes that there are.
    routes: Vec<&'static str>,
    /// Flights behind `common` that were slow.
    slow: usize,
    /// Flights behind `common` that were drawn from the good ones.
    sampled: usize,
    /// What the slow ones spend more time on than the sample, most of the difference first.
    common: Vec<CommonShape>,
    /// The bad ones, the newest first.
    flights: Vec<FlightShape>,
    /// The good ones that were drawn, the newest first.
    sample: Vec<FlightShape>,
}

/// What slow flights spend their time on, against a sample of good ones.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct CommonShape {
    kind: &'static str,
    name: &'static str,
    /// Mean time in a slow flight.
    slow_ms: f64,
    /// Mean time in a flight of the sample.
    sample_ms: f64,
    /// Of the difference between the mean slow flight and the mean good one.
    share_percent: f64,
    /// Slow flights that have it at all.
    present_percent: f64,
}

/// Lists what was kept.
pub(crate) fn handle(request: &Request) -> Result<Response, Problem> {
    let routes: Vec<&'static str> = Route::all().map(Route::name).collect();
    let Some(route) = request.query("route").and_then(Route::from_name) else {
        let detail = format!("route must be one of {}", routes.join(", "));
        return Err(Problem::new(Code::BadQuery, detail));
    };
    let (bad, mut sample) = (kept::bad(route), kept::sample(route));
    sample.sort_by_key(|kept| Reverse(kept.at));
    let slow: Vec<&Kept> = bad.iter().filter(|kept| kept.why == Why::Slow).collect();
    let (slow_count, sampled) = (slow.len(), sample.len());
    let common = compare(&slow, &sample.iter().collect::<Vec<_>>());
    let shape = SlowShape {
        route: route.name(),
        routes,
        slow: slow_count,
        sampled,
        common,
        flights: bad.into_iter().map(FlightShape::from).collect(),
        sample: sample.into_iter().map(FlightShape::from).collect(),
    };
    flights::answer(request, "debug_slow.html", &shape)
}

/// Mean time of each span by name in both; nothing where either is empty.
fn compare(slow: &[&Kept], sample: &[&Kept]) -> Vec<CommonShape> {
    if slow.is_empty() || sample.is_empty() {
        return Vec::new();
    }
    let took = |kept: &[&Kept]| kept.iter().map(|k| k.took).sum::<Duration>().as_secs_f64();
    let whole = took(slow) / slow.len() as f64 - took(sample) / sample.len() as f64;
    let (of_slow, of_sample) = (by_name(slow), by_name(sample));
    let mut common: Vec<CommonShape> = of_slow
        .iter()
        .map(|(&(kind, name), &(seconds, flights))| {
            let in_slow = seconds / slow.len() as f64;
            let in_sample = of_sample.get(&(kind, name)).map_or(0.0, |(seconds, _)| *seconds);
            let in_sample = in_sample / sample.len() as f64;
            let share = (in_slow - in_sample) / whole.max(1e-9);
            CommonShape {
                kind,
                name,
                slow_ms: millis(in_slow),
                sample_ms: millis(in_sample),
                share_percent: (share * 1e3).round() / 10.0,
                present_percent: (flights as f64 / slow.len() as f64 * 1e3).round() / 10.0,
            }
        })
        .collect();
    common.sort_by(|a, b| (b.slow_ms - b.sample_ms).total_cmp(&(a.slow_ms - a.sample_ms)));
    common
}

/// Time on each kind and name, and in how many flights it occurs.
fn by_name(kept: &[&Kept]) -> BTreeMap<(&'static str, &'static str), (f64, usize)> {
    let mut sums = BTreeMap::<_, (f64, usize)>::new();
    for flight in kept {
        let mut own = BTreeMap::<_, f64>::new();
        for span in &flight.spans {
            *own.entry((span.what.kind(), span.what.name())).or_default() +=
                span.took.as_secs_f64();
        }
        for (name, seconds) in own {
            let sum = sums.entry(name).or_default();
            *sum = (sum.0 + seconds, sum.1 + 1);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::obs::exemplar::TraceId;
    use crate::obs::flight::{Span, What};
    use contract::{Pool, Query};
    use std::time::SystemTime;

    fn kept(spans: &[(What, u64)]) -> Kept {
        let span = |&(what, ms): &(What, u64)| Span {
            what,
            start: Duration::ZERO,
            took: Duration::from_millis(ms),
            rows: 0,
            how: None,
        };
        Kept {
            trace: TraceId::from_random(1),
            route: Route::Message,
            at: SystemTime::UNIX_EPOCH,
            took: Duration::from_millis(spans.iter().map(|(_, ms)| ms).sum()),
            outcome: "ok",
            status: 200,
            why: Why::Slow,
            spans: spans.iter().map(span).collect(),
            dropped: 0,
        }
    }

    #[test]
    fn what_explains_the_difference_comes_first() {
        let (wait, read) = (What::Pool(Pool::Interactive), What::Query(Query::AppointmentRead));
        let slow = [kept(&[(wait, 90), (read, 12)]), kept(&[(wait, 110), (read, 8)])];
        let good = [kept(&[(wait, 0), (read, 10)])];
        let common = compare(&slow.iter().collect::<Vec<_>>(), &good.iter().collect::<Vec<_>>());
        assert_eq!(common.len(), 2);
        assert_eq!((common[0].kind, common[0].name), ("pool", "interactive"));
        assert_eq!((common[0].slow_ms, common[0].sample_ms), (100.0, 0.0));
        assert_eq!((common[0].share_percent, common[1].share_percent), (100.0, 0.0));
        assert_eq!(common[0].present_percent, 100.0);
        assert_eq!(compare(&[], &good.iter().collect::<Vec<_>>()), []);
    }
}
