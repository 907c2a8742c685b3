//! What stands in the books after requests whose times are known exactly.

use hdrhistogram::Histogram;

use super::*;

fn label() -> Label {
    Label {
        name: "read_appointment",
        method: "GET",
        objective: Duration::from_millis(250),
        share: 0.99,
        critical: true,
    }
}

fn times(start: Instant, sent_ms: Option<u64>, ended_ms: u64) -> Times {
    let at = |ms| start + Duration::from_millis(ms);
    let due = Due { offset: Duration::ZERO, intended: start, free: start };
    Times { due, sent: sent_ms.map(at), refused: false, ended: at(ended_ms), again: 0 }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= b * 0.001 + 1e-6
}

#[tokio::test(start_paused = true)]
async fn every_request_is_in_the_books_once() {
    let start = Instant::now();
    let ledger = Ledger::new(&[label()], true);
    ledger.record(0, &times(start, Some(10), 110), Ending::Good);
    ledger.record(0, &times(start, Some(200), 300), Ending::Good);
    ledger.record(0, &times(start, Some(0), 20), Ending::Failed("503"));
    ledger.record(0, &times(start, Some(0), 1_000), Ending::Unanswered);
    ledger.record(0, &times(start, None, 2_000), Ending::Unsent);
    let row = ledger.rows().remove(0);
    let expected =
        Counts { total: 5, good: 1, failed: 1, refused: 0, unanswered: 1, unsent: 1, again: 0 };
    assert_eq!((row.counts, ledger.progress()), (expected, (5, 4)));
    assert_eq!(row.reasons, BTreeMap::from([("503", 1)]));
    assert!(near(row.response.max, 2.0), "{:?}", row.response);
    assert!(near(row.response.p50, 0.3), "{:?}", row.response);
    // The one that never left waited its whole life and had no service.
    assert!(near(row.lag.max, 2.0) && near(row.service.max, 1.0), "{row:?}");
}

#[tokio::test(start_paused = true)]
async fn a_window_holds_what_came_since_the_last() {
    let start = Instant::now();
    let ledger = Ledger::new(&[label()], true);
    let mut spare = [Triple::new()];
    ledger.record(0, &times(start, Some(0), 100), Ending::Good);
    ledger.record(0, &times(start, Some(0), 100), Ending::Failed("503"));
    assert_eq!(ledger.close_window(&mut spare), [WindowCounts { good: 1, failed: 1 }]);
    assert_eq!(spare[0].each().map(Histogram::len), [2, 2, 2]);
    assert_eq!(ledger.close_window(&mut spare), [WindowCounts::default()]);
    assert_eq!(spare[0].each().map(Histogram::len), [0, 0, 0]);
    assert_eq!(ledger.rows()[0].counts.total, 2);
}

/// Where nobody takes a connection nothing is sent, and so nothing took the service any time.
#[tokio::test(start_paused = true)]
async fn what_found_no_connection_was_not_sent() {
    let start = Instant::now();
    let ledger = Ledger::new(&[label()], true);
    ledger.record(0, &times(start, Some(0), 100), Ending::Good);
    let refused = Times { refused: true, ..times(start, Some(0), 1) };
    ledger.record(0, &refused, Ending::Failed("no connection"));
    ledger.settle_second(false);
    let row = ledger.rows().remove(0);
    assert_eq!((row.counts.total, row.counts.failed, row.counts.refused), (2, 1, 1));
    assert_eq!((ledger.progress(), ledger.sent_by_second()), ((2, 1), vec![1]));
    assert!(near(row.service.p50, 0.1), "of the one that was sent: {:?}", row.service);
    let clean = ledger.clean()[0];
    assert_eq!((clean.asked, clean.missed_by_service), (2, 1), "it was asked all the same");
}

/// Requests of a spoilt second are left out whenever they end; those of a clean one are kept, also
/// when they end before the second is over or in a spoilt one.
#[tokio::test(start_paused = true)]
async fn clean_seconds_are_those_of_the_intended_start() {
    let start = Instant::now();
    let ledger = Ledger::new(&[label()], true);
    let at = |offset_ms: u64, took_ms: u64| {
        let offset = Duration::from_millis(offset_ms);
        let intended = start + offset;
        let ended = intended + Duration::from_millis(took_ms);
        let due = Due { offset, intended, free: start };
        ledger.record(
            0,
            &Times { due, sent: Some(intended), refused: false, ended, again: 0 },
            Ending::Good,
        );
    };
    at(100, 10);
    at(1_100, 20);
    ledger.settle_second(false);
    assert_eq!(ledger.clean()[0].total, 1);
    ledger.settle_second(true);
    at(1_200, 30);
    at(900, 900);
    at(2_000, 40);
    let clean = ledger.clean()[0];
    assert_eq!((clean.total, clean.good, clean.missed_by_service), (2, 1, 1));
    assert!(near(clean.response.max, 0.9));
    ledger.settle_second(false);
    assert_eq!(ledger.clean()[0].total, 3);
    assert_eq!(ledger.rows()[0].counts.total, 5, "all of them are in the books");
}

/// What the service had when the run ended, and had not answered, is its miss at any age; what
/// never left is a miss, but not proven to be its own.
#[tokio::test(start_paused = true)]
async fn what_is_unanswered_at_the_end_is_the_services_miss_however_young() {
    let start = Instant::now();
    let ledger = Ledger::new(&[label()], true);
    ledger.record(0, &times(start, Some(0), 100), Ending::Good);
    ledger.record(0, &times(start, Some(0), 100), Ending::Unanswered);
    ledger.record(0, &times(start, None, 100), Ending::Unsent);
    ledger.settle_second(false);
    let clean = ledger.clean()[0];
    assert_eq!((clean.total, clean.good, clean.missed_by_service), (3, 1, 1));
    assert_eq!((clean.asked, clean.young), (2, 1));
    assert!(near(clean.response.max, 0.1), "at its age: {:?}", clean.response);
}

/// The wait for a connection is the service's doing, the rest of the lag the harness's.
#[tokio::test(start_paused = true)]
async fn the_harness_answers_for_its_own_part_of_the_lag() {
    let start = Instant::now();
    let ledger = Ledger::new(&[label()], true);
    let ms = Duration::from_millis;
    let record = |free: u64, sent: u64| {
        let due = Due { offset: ms(100), intended: start + ms(100), free: start + ms(free) };
        let (sent, ended) = (Some(start + ms(sent)), start + ms(700));
        let times = Times { due, sent, refused: false, ended, again: 0 };
        ledger.record(0, &times, Ending::Good);
    };
    record(0, 102);
    record(600, 601);
    ledger.settle_second(false);
    let own = ledger.clean()[0].own_lag;
    assert!(near(own.p50, 0.001) && near(own.max, 0.002), "{own:?}");
    assert!(near(ledger.rows()[0].lag.max, 0.501));
}
