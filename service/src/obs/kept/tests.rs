//! Which flights are kept, and that what a scrape shows leads to one that is.

use std::time::Instant;

use contract::{Journey, Pool, Query, QueryOutcome};

use super::*;
use crate::obs::buckets::SECONDS;
use crate::obs::http::{Finished, finished};
use crate::obs::query::record;
use crate::obs::registered::Lap;
use crate::obs::request::Scope;
use crate::obs::{Format, exemplar, journey, rendered};

fn land(route: &OfRoute, id: u128, ms: u64, outcome: RequestOutcome) {
    let flight = Flight::new(TraceId::from_random(id), Instant::now());
    route.offer(&Landed {
        flight: &flight,
        route: Route::Message,
        took: Duration::from_millis(ms),
        objective: Duration::from_millis(100),
        ending: outcome.into(),
        outcome: outcome.name(),
        status: 200,
    });
}

#[test]
fn the_bad_are_kept_with_their_reason_and_bounded() {
    let route = OfRoute::new();
    land(&route, 1, 100, RequestOutcome::Ok);
    land(&route, 2, 101, RequestOutcome::Rejected);
    land(&route, 3, 1, RequestOutcome::Failed);
    land(&route, 4, 1, RequestOutcome::Aborted);
    let whys: Vec<_> = route.rings().bad.iter().map(|kept| kept.why).collect();
    assert_eq!(whys, [Why::Slow, Why::Failed, Why::Aborted]);
    for second in 0..10_u128 {
        for n in 0..100 {
            land(&route, second * 100 + n, 500, RequestOutcome::Ok);
        }
        route.taken.store(0, Ordering::Relaxed);
    }
    let rings = route.rings();
    assert_eq!(rings.bad.len(), BAD_MAX);
    assert_eq!(rings.bad.back().unwrap().trace, TraceId::from_random(900 + 15));
}

#[test]
fn the_sample_is_fair() {
    // 2,000 samples of 16 from 160: each position is in it every tenth time.
    let mut times = [0_u32; 160];
    for _ in 0..2_000 {
        let route = OfRoute::new();
        for n in 1..=160 {
            land(&route, n, 1, RequestOutcome::Ok);
        }
        for kept in &route.rings().sample {
            let n: u128 = u128::from_str_radix(&kept.trace.to_string(), 16).unwrap();
            times[usize::try_from(n).unwrap() - 1] += 1;
        }
    }
    // Expected 200 with a standard deviation of 13.4: seven of those on either side.
    assert!(times.iter().all(|n| (106..=294).contains(n)), "{times:?}");
}

#[test]
fn the_sample_before_is_there_until_the_new_one_is() {
    let route = OfRoute::new();
    (1..=20).for_each(|n| land(&route, n, 1, RequestOutcome::Ok));
    route.begin_sample();
    land(&route, 21, 1, RequestOutcome::Ok);
    let rings = route.rings();
    assert_eq!((rings.before.len(), rings.sample.len()), (SAMPLE_MAX, 1));
}

/// Of no other test: the first half of each trace says so.
const MARK: u128 = 0xe8a1_70a1;
const QUERY: Query = Query::ReviewSlots;

fn scope(n: u128) -> Scope {
    Scope::new(TraceId::from_random(MARK << 64 | n), Instant::now())
}

/// A request that ended badly.
fn ended(endpoint: Endpoint, scope: &Scope, took: Duration) {
    finished(&Finished {
        endpoint: Some(endpoint),
        id: "id",
        caller: &"nobody",
        status: 500,
        outcome: RequestOutcome::Failed,
        code: "internal",
        cause: "",
        took,
        first_byte: None,
        bytes_in: 0,
        bytes_out: 0,
        scope,
    });
}

/// The examples of this test's requests in a scrape: family and trace.
fn shown() -> Vec<(String, TraceId)> {
    let text = rendered(Format::OpenMetrics);
    let example = |line: &str| {
        let (series, example) = line.split_once(" # {trace_id=\"")?;
        let trace = TraceId::parse(example.get(..32)?)?;
        let (family, _) = series.split_once("_bucket{")?;
        example.starts_with(&format!("{MARK:016x}")).then(|| (family.to_owned(), trace))
    };
    text.lines().filter_map(example).collect()
}

#[test]
fn what_a_scrape_shows_is_kept_however_much_came_after_it() {
    crate::obs::install().unwrap();
    const A_SECOND: u128 = 40;
    let families = [
        "http_server_request_duration_seconds",
        "db_client_operation_duration_seconds",
        "journey_duration_seconds",
    ];
    // Each second's requests fall into a cell of their own, so that the first examples stay there
    // long after their flights had to go.
    for (second, &bound) in SECONDS.iter().take(10).enumerate() {
        exemplar::tick();
        for n in 1..=A_SECOND {
            let (scope, took) =
                (scope(second as u128 * A_SECOND + n), Duration::from_secs_f64(bound));
            scope.ran(QUERY, (Pool::Reporting, QueryOutcome::Ok), Lap::of(took), 1);
            record(QUERY, Pool::Reporting, QueryOutcome::Ok, Lap::of(took), 1);
            journey::record_of(Journey::CancelToSafe, took, Some(&scope));
            ended(Endpoint::ReadBacklog, &scope, took);
        }
        let shown = shown();
        for family in families {
            let of_family = || shown.iter().filter(|(name, _)| name == family);
            assert!(of_family().count() > 0, "{family} after {second} s: {shown:?}");
            assert!(of_family().count() <= 1 + BAD_MAX / BAD_PER_SECOND as usize, "{shown:?}");
        }
        for (_, trace) in shown {
            assert!(!of_trace(trace).is_empty(), "{trace} leads nowhere");
        }
        tick();
    }
}

/// Whoever left before the commit: the journey ends when the flight is kept already.
#[test]
fn a_journey_that_ends_after_its_request_leads_to_it() {
    crate::obs::install().unwrap();
    let scope = scope(0xffff);
    ended(Endpoint::ReadClock, &scope, Duration::from_secs(5));
    journey::record_of(Journey::ReplyToShown, Duration::from_secs(59), Some(&scope));
    let example = ("journey_duration_seconds".to_owned(), scope.trace());
    assert!(shown().contains(&example), "{:?}", shown());
}
