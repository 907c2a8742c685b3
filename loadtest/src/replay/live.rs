//! The day's requests as the engine sends them, and what of their answers the laws need later.
//!
//! Never here: when they are sent (the engine), or what the records prove (`laws`).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use contract::{Endpoint, Tier};
use http::{HeaderValue, Method};
use serde::Deserialize;
use stack::provider::monotonic_ns;

use super::causal::{Writes, Wrote};
use crate::client::{JSON, retry_after};
use crate::day::schedule::real_offset;
use crate::day::{Plan, Request};
use crate::engine::connection::Broken;
use crate::engine::{Answer, Label, Outgoing, Source, Trace, Traces, Verdict};
use crate::laws::cancelled::{Entry, Stopped};
use crate::laws::limits::Refusals;

/// The endpoints of the day's requests; the callbacks' are the provider's.
const ENDPOINTS: [Endpoint; 5] = [
    Endpoint::UpsertAppointments,
    Endpoint::CancelAppointment,
    Endpoint::ReadAppointment,
    Endpoint::ListMessages,
    Endpoint::ReadDailyCounts,
];

/// Wait before sending again after a broken connection.
const BROKEN_WAIT: Duration = Duration::from_millis(100);

/// Keys by practice.
pub(crate) type Keys = HashMap<i64, HeaderValue>;

/// A plan at a speed, with the keys to send it.
#[derive(Debug)]
pub(crate) struct Live {
    plan: Arc<Plan>,
    keys: Keys,
    speed: f64,
    labels: Vec<Label>,
    traces: Traces,
    stopped: Mutex<Vec<Stopped>>,
    /// Answers that there is no room: those that say when to come back, and those that don't.
    refusals: [AtomicU64; 2],
    writes: Writes,
}

impl Live {
    pub(crate) fn new(plan: Arc<Plan>, keys: Keys, speed: f64, writes: Writes) -> Self {
        let labels = ENDPOINTS.map(label).to_vec();
        let traces = Traces::new(plan.hash(), false);
        let (stopped, refusals) = (Mutex::default(), Default::default());
        Self { plan, keys, speed, labels, traces, stopped, refusals, writes }
    }

    /// How requests were answered for which there was no room.
    pub(crate) fn refusals(&self) -> Refusals {
        let [said, unsaid] = &self.refusals;
        Refusals { said: said.load(Ordering::Relaxed), unsaid: unsaid.load(Ordering::Relaxed) }
    }

    fn refused(&self, answer: &Answer) {
        let said = answer.status == 503 && answer.retry_after_seconds.is_some();
        self.refusals[usize::from(!said)].fetch_add(1, Ordering::Relaxed);
    }

    /// The cancellations that were answered, in the order of their answers.
    pub(crate) fn stopped(&self) -> Vec<Stopped> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn record(&self, stopped: Stopped) {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).push(stopped);
    }

    fn upserted(&self, index: usize, answer: &Answer) -> Verdict {
        let Ok(results) = serde_json::from_slice::<UpsertAnswer<'_>>(&answer.body) else {
            return Verdict::Bad("unexpected body");
        };
        let [Item { outcome: "stored" | "unchanged" | "superseded" }] = results.results[..] else {
            return Verdict::Bad("appointment rejected");
        };
        let Request::UpsertAppointment(appointment) = &self.plan.arrivals()[index].request else {
            return Verdict::Bad("unexpected body");
        };
        if appointment.cancelled() {
            self.record(Stopped {
                arrival: index,
                answered_ns: monotonic_ns(),
                // An upsert says nothing of its texts: the read after the day does.
                entries: None,
            });
        }
        self.writes.answered(|| {
            Some(Wrote {
                practice_id: appointment.practice_id(),
                appointment_id: appointment.appointment_id(),
                version: appointment.version().into(),
                token: answer.read_after.clone()?,
            })
        });
        Verdict::Good
    }

    fn cancelled(&self, index: usize, answer: &Answer) -> Verdict {
        let Ok(answer) = serde_json::from_slice::<CancelAnswer>(&answer.body) else {
            return Verdict::Bad("unexpected body");
        };
        self.record(Stopped {
            arrival: index,
            answered_ns: monotonic_ns(),
            entries: Some(answer.messages),
        });
        Verdict::Good
    }
}

fn label(endpoint: Endpoint) -> Label {
    let spec = endpoint.spec();
    Label {
        name: endpoint.name(),
        method: spec.method.name(),
        objective: Duration::from_millis(u64::from(spec.latency_ms)),
        share: spec.latency_objective,
        critical: spec.tier == Tier::Critical,
    }
}

fn position(endpoint: Endpoint) -> usize {
    ENDPOINTS
        .iter()
        .position(|e| *e == endpoint)
        .expect("a plan has requests of these endpoints alone; a test asks for each")
}

impl Source for Live {
    fn labels(&self) -> &[Label] {
        &self.labels
    }

    fn len(&self) -> usize {
        self.plan.arrivals().len()
    }

    fn intended(&self, index: usize) -> Duration {
        real_offset(self.plan.arrivals()[index].intended_domain_ns, self.speed)
    }

    fn label(&self, index: usize) -> usize {
        position(self.plan.arrivals()[index].request.endpoint())
    }

    fn request(&self, index: usize) -> Outgoing {
        let request = &self.plan.arrivals()[index].request;
        let body = request.body();
        Outgoing {
            label: self.label(index),
            method: if body.is_some() { Method::POST } else { Method::GET },
            uri: request.path().parse().expect("a path of identifiers is a URI"),
            authorization: self.keys.get(&request.practice_id()).cloned(),
            read_after: None,
            content_type: body.is_some().then_some(JSON),
            traceparent: None,
            headers: None,
            body: Bytes::from(body.unwrap_or_default()),
        }
    }

    fn trace(&self, index: usize) -> Option<Trace> {
        Some(self.traces.of(index))
    }

    fn answered(&self, index: usize, answer: &Answer) -> Verdict {
        match answer.status {
            200..=299 => {}
            // Full: a client comes back when it was told to.
            429 | 503 => {
                self.refused(answer);
                return Verdict::Again(retry_after(answer));
            }
            status => return Verdict::Bad(status_name(status)),
        }
        match self.plan.arrivals()[index].request {
            Request::UpsertAppointment(_) => self.upserted(index, answer),
            Request::Cancel { .. } => self.cancelled(index, answer),
            Request::ReadAppointment { .. }
            | Request::ListMessages { .. }
            | Request::DailyCounts { .. } => Verdict::Good,
        }
    }

    /// Every request of a replay may be repeated: writes carry a version, reads change nothing. So
    /// a broken connection costs time, not truth.
    fn broken(&self, _: usize, broken: Broken, _: u64) -> Verdict {
        match broken {
            Broken::Connect | Broken::Exchange | Broken::NotHttp => Verdict::Again(BROKEN_WAIT),
            Broken::Timeout | Broken::TooLarge => Verdict::Bad(broken.name()),
        }
    }
}

/// A closed set, so that a report has few rows.
fn status_name(status: u16) -> &'static str {
    match status {
        400 => "status 400",
        401 => "status 401",
        403 => "status 403",
        404 => "status 404",
        408 => "status 408",
        409 => "status 409",
        413 => "status 413",
        422 => "status 422",
        500 => "status 500",
        504 => "status 504",
        other if other < 400 => "unexpected status below 400",
        other if other < 500 => "another status 4xx",
        _ => "another status 5xx",
    }
}

#[derive(Deserialize)]
struct UpsertAnswer<'a> {
    #[serde(borrow)]
    results: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    outcome: &'a str,
}

#[derive(Deserialize)]
struct CancelAnswer {
    messages: Vec<Entry>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::time::Instant;

    use super::super::causal;
    use super::*;
    use crate::day::{self, Profile};

    fn live() -> Live {
        let source = day::Source::from_profile(Profile::builtin(), 1);
        let options = day::Options { messages: 300, ..day::Options::default() };
        let plan = Arc::new(Plan::build(&options, &source).unwrap());
        Live::new(plan, Keys::new(), 600.0, causal::channel().0)
    }

    fn answer(status: u16, body: &'static str) -> Answer {
        Answer {
            status,
            retry_after_seconds: Some(2),
            read_after: None,
            server_timing: None,
            content_type: None,
            body: Bytes::from_static(body.as_bytes()),
            ended: Instant::now(),
        }
    }

    #[test]
    fn every_request_of_a_plan_has_its_label() {
        let live = live();
        let mut seen = [false; ENDPOINTS.len()];
        for index in 0..live.len() {
            let request = live.request(index);
            assert_eq!(request.label, live.label(index));
            assert_eq!(live.labels()[request.label].method, request.method.as_str());
            seen[request.label] = true;
        }
        assert_eq!(seen, [true; ENDPOINTS.len()]);
        assert!((1..live.len()).all(|i| live.intended(i - 1) <= live.intended(i)));
    }

    #[test]
    fn answers_are_judged() {
        let live = live();
        let find = |wanted: fn(&Request) -> bool| {
            live.plan.arrivals().iter().position(|a| wanted(&a.request)).unwrap()
        };
        let booking = find(|r| matches!(r, Request::UpsertAppointment(a) if !a.cancelled()));
        let cancel = find(|r| matches!(r, Request::Cancel { .. }));
        let stored = r#"{"results":[{"appointment_id":"a1","version":1,"outcome":"stored"}]}"#;
        let rejected = r#"{"results":[{"appointment_id":"a1","outcome":"rejected"}]}"#;
        let stopped = r#"{"appointment_id":"a1","version":2,"status":"cancelled","in_time":true,
            "messages":[{"rule_id":1,"message_id":null,"due_at":"x","in_time":true}]}"#;
        for (index, answer, expected) in [
            (booking, answer(200, stored), Verdict::Good),
            (booking, answer(200, rejected), Verdict::Bad("appointment rejected")),
            (booking, answer(200, "[]"), Verdict::Bad("unexpected body")),
            (booking, answer(503, ""), Verdict::Again(Duration::from_secs(2))),
            (booking, answer(418, ""), Verdict::Bad("another status 4xx")),
            (cancel, answer(404, ""), Verdict::Bad("status 404")),
            (cancel, answer(200, stopped), Verdict::Good),
        ] {
            assert_eq!(live.answered(index, &answer), expected, "{answer:?}");
        }
        let untold = Answer { retry_after_seconds: None, ..answer(503, "") };
        for full in [untold, answer(429, "")] {
            assert!(matches!(live.answered(booking, &full), Verdict::Again(_)), "{full:?}");
        }
        assert_eq!(live.refusals(), Refusals { said: 1, unsaid: 2 });
        let stopped = live.stopped();
        assert_eq!(stopped.len(), 1);
        assert!(stopped[0].entries.as_ref().unwrap()[0].in_time);
    }
}
