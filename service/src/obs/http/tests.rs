//! How requests count for their endpoint's objectives, by how they ended and how long they took.

use std::time::Instant;

use super::*;

/// Of no other test.
const ENDPOINT: Endpoint = Endpoint::RevokeApiKey;

/// A request that ends so.
fn end(endpoint: Endpoint, status: u16, outcome: RequestOutcome, took: Duration) {
    end_of(endpoint, status, outcome, took, None);
}

fn end_of(
    endpoint: Endpoint,
    status: u16,
    outcome: RequestOutcome,
    took: Duration,
    first_byte: Option<Duration>,
) {
    let scope = Scope::new(TraceId::from_random(1), Instant::now());
    finished(&Finished {
        endpoint: Some(endpoint),
        id: "id",
        caller: &"nobody",
        status,
        outcome,
        code: "",
        cause: "",
        took,
        first_byte,
        bytes_in: 0,
        bytes_out: 0,
        scope: &scope,
    });
}

/// What one more request adds to the events of the two objectives: all and good.
fn adds(outcome: RequestOutcome, status: u16, took: Duration) -> [(u64, u64); 2] {
    let before = read(ENDPOINT);
    end(ENDPOINT, status, outcome, took);
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

/// What has begun was judged then: that its reader leaves, however late, says nothing more of it.
#[test]
fn a_stream_that_is_left_is_not_judged_again() {
    crate::obs::install().unwrap();
    // Of no other test.
    let endpoint = Endpoint::RunStage;
    let (before, hour) = (read(endpoint), Duration::from_secs(3_600));
    for outcome in [RequestOutcome::Aborted, RequestOutcome::Ok] {
        end_of(endpoint, 200, outcome, hour, Some(Duration::ZERO));
    }
    let after = read(endpoint);
    assert_eq!(after.latency, before.latency);
    assert_eq!(after.availability.all, before.availability.all + 1, "one was served");
    assert_eq!(after.aborted, before.aborted + 1);
}

/// How many requests of a route are counted under a status and an outcome; none without a series.
fn counted(endpoint: Endpoint, status: &str, outcome: RequestOutcome) -> Option<u64> {
    let labels = format!(
        "http_route=\"{}\",http_request_method=\"{}\",http_response_status_code=\"{status}\",\
         outcome=\"{}\"",
        endpoint.name(),
        endpoint.spec().method.name(),
        outcome.name(),
    );
    told(&format!("http_server_request_duration_seconds_count{{{labels}}} "))
}

fn told(series: &str) -> Option<u64> {
    let text = crate::obs::rendered(crate::obs::Format::Text);
    text.lines().find_map(|line| line.strip_prefix(series)).map(|n| n.parse().unwrap())
}

#[test]
fn a_request_counts_under_its_own_status_or_under_none() {
    crate::obs::install().unwrap();
    // Of no other test.
    let endpoint = Endpoint::DebugRequest;
    let unforeseen =
        format!("http_server_unforeseen_answers_total{{http_route=\"{}\"}} ", endpoint.name());
    for (status, outcome) in status::answers(endpoint) {
        let text = status.to_string();
        assert_eq!(counted(endpoint, &text, outcome), Some(0), "{status} from the start");
        end(endpoint, status, outcome, Duration::ZERO);
        assert_eq!(counted(endpoint, &text, outcome), Some(1), "{status}");
    }
    assert!(status::answers(endpoint).contains(&(404, RequestOutcome::Rejected)));
    assert_eq!(told(&unforeseen), Some(0));
    // Neither a status that it doesn't answer, nor one that counts otherwise with it.
    let wrong = [(418, RequestOutcome::Rejected), (404, RequestOutcome::Failed)];
    for (n, (status, outcome)) in (1..).zip(wrong) {
        assert_eq!(counted(endpoint, "_OTHER", outcome), None, "{status}");
        end(endpoint, status, outcome, Duration::ZERO);
        assert_eq!(counted(endpoint, "_OTHER", outcome), Some(1), "{status}");
        assert_eq!(told(&unforeseen), Some(n));
    }
    for (status, outcome) in status::answers(endpoint) {
        assert_eq!(
            counted(endpoint, &status.to_string(), outcome),
            Some(1),
            "{status} is as it was"
        );
    }
    let all = status::answers(endpoint).len() + wrong.len();
    assert_eq!(read(endpoint).duration.count(), all as u64);
}
