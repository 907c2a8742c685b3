//! How requests count for their endpoint's objectives, by how they ended and how long they took.

use std::time::Instant;

use super::*;

/// Of no other test.
const ENDPOINT: Endpoint = Endpoint::RevokeApiKey;

/// What one more request adds to the events of the two objectives: all and good.
fn adds(outcome: RequestOutcome, status: u16, took: Duration) -> [(u64, u64); 2] {
    let before = read(ENDPOINT);
    let scope = Scope::new(TraceId::from_random(1), Instant::now());
    finished(&Finished {
        endpoint: Some(ENDPOINT),
        id: "id",
        caller: &"nobody",
        status,
        outcome,
        code: "",
        cause: "",
        took,
        bytes_in: 0,
        bytes_out: 0,
        scope: &scope,
    });
    let now = read(ENDPOINT);
    [(now.latency, before.latency), (now.availability, before.availability)]
        .map(|(now, before)| (now.all - before.all, now.good - before.good))
}

#[test]
fn a_request_counts_by_its_end_and_its_time() {
    crate::obs::install().unwrap();
    let in_time = Duration::from_millis(u64::from(ENDPOINT.spec().latency_ms));
    let late = in_time + Duration::from_nanos(1);
    let (none, good, bad) = ((0, 0), (1, 1), (1, 0));
    for (outcome, status, took, expected) in [
        (RequestOutcome::Ok, 204, in_time, [good, good]),
        (RequestOutcome::Ok, 204, late, [bad, good]),
        (RequestOutcome::Rejected, 404, late, [none, good]),
        (RequestOutcome::Shed, 503, in_time, [none, bad]),
        (RequestOutcome::Failed, 500, late, [none, bad]),
        // Its caller gave up on it: a slow one if it was that by then, else nothing is known.
        (RequestOutcome::Aborted, 0, in_time, [none, none]),
        (RequestOutcome::Aborted, 0, late, [bad, none]),
    ] {
        assert_eq!(adds(outcome, status, took), expected, "{outcome:?} after {took:?}");
    }
}
