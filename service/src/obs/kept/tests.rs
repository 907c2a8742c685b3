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
        is_slow: ms > 100,
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
        route.begin_second();
    }
    let rings = route.rings();
    assert_eq!(rings.bad.len(), BAD_MAX);
    assert_eq!(rings.bad.back().unwrap().trace, TraceId::from_random(900 + 15));
}

/// How many are kept for each reason.
fn by_reason(route: &OfRoute) -> [usize; 3] {
    let rings = route.rings();
    Why::BAD.map(|why| rings.bad.iter().filter(|kept| kept.why == why).count())
}

/// So many of one kind a second, for ten seconds.
fn storm(route: &OfRoute, a_second: u128, ms: u64, outcome: RequestOutcome) {
    for second in 0..10 {
        (1..=a_second).for_each(|n| land(route, 1_000 + second * a_second + n, ms, outcome));
        route.begin_second();
    }
}

#[test]
fn a_storm_of_one_reason_pushes_out_no_other() {
    use RequestOutcome::{Aborted, Failed, Ok, Shed};
    let route = OfRoute::new();
    (1..=4).for_each(|n| land(&route, n, 500, Ok));
    (5..=6).for_each(|n| land(&route, n, 500, Aborted));
    storm(&route, 100, 1, Shed);
    assert_eq!(by_reason(&route), [4, BAD_MAX - 6, 2]);
    let first = route.rings().bad.front().unwrap().trace;
    assert_eq!(first, TraceId::from_random(1), "the oldest slow one is there still");
    // Each storm ends at its share where the others have use for theirs.
    storm(&route, 100, 500, Ok);
    storm(&route, 100, 1, Aborted);
    storm(&route, 100, 1, Failed);
    storm(&route, 100, 500, Ok);
    let kept = by_reason(&route);
    assert_eq!(kept.iter().sum::<usize>(), BAD_MAX);
    assert!(kept.iter().all(|n| *n >= BAD_MAX / 3), "{kept:?}");
    assert!(route.rings().bad.capacity() <= BAD_MAX, "it takes no more memory than it may");
}

#[test]
fn a_second_full_of_one_reason_has_room_for_the_others() {
    let route = OfRoute::new();
    (1..=100).for_each(|n| land(&route, n, 1, RequestOutcome::Shed));
    land(&route, 101, 500, RequestOutcome::Ok);
    land(&route, 102, 500, RequestOutcome::Aborted);
    assert_eq!(by_reason(&route), [1, BAD_PER_SECOND as usize, 1]);
}

/// What was turned away took no time: against it, all that a slow one does would look to blame.
#[test]
fn the_sample_is_of_what_was_served() {
    let route = OfRoute::new();
    for n in (1..=30).step_by(3) {
        land(&route, n, 1, RequestOutcome::Rejected);
        land(&route, n + 1, 1, RequestOutcome::Shed);
        land(&route, n + 2, 50, RequestOutcome::Ok);
    }
    let rings = route.rings();
    let took: Vec<_> = rings.sample.iter().map(|kept| (kept.outcome, kept.took)).collect();
    assert_eq!(took, [("ok", Duration::from_millis(50)); 10]);
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
