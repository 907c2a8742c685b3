//! A plan as the engine sends it: which requests, with the run's own headers, and which answers are
//! good.
//!
//! Never here: when they are sent (the engine), or what the whole run is worth (`verdict`).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Method};

use super::args::Traceparent;
use super::objective::Objectives;
use crate::engine::connection::Broken;
use crate::engine::names::name;
use crate::engine::trace::TRACEPARENT;
use crate::engine::{Answer, Label, Outgoing, Source, Trace, Traces, Verdict};
use crate::plan::Plan;

/// A plan, ready to be sent.
#[derive(Debug)]
pub(crate) struct Work {
    plan: Arc<Plan>,
    labels: Vec<Label>,
    /// Headers of each request, the run's own among them.
    headers: Vec<Option<Arc<HeaderMap>>>,
    ok: RangeInclusive<u16>,
    traces: Option<Traces>,
    /// When each way to fail was first seen, by the intended start.
    first: Mutex<BTreeMap<&'static str, Duration>>,
}

impl Work {
    pub(crate) fn new(
        plan: Arc<Plan>,
        objectives: &Objectives,
        own: &HeaderMap,
        ok: RangeInclusive<u16>,
        traceparent: Traceparent,
    ) -> Self {
        let labels = plan.kinds().iter().map(|kind| {
            let objective = objectives.of(&kind.name);
            Label {
                name: name(&kind.name),
                method: name(&kind.method),
                objective: objective.latency,
                share: objective.share,
                critical: true,
            }
        });
        let headers = plan.requests().iter().map(|request| {
            if own.is_empty() {
                return (!request.headers.is_empty()).then(|| request.headers.clone());
            }
            let mut all = own.clone();
            all.extend((*request.headers).clone());
            Some(Arc::new(all))
        });
        let (labels, headers) = (labels.collect(), headers.collect());
        let traces = match traceparent {
            Traceparent::Off => None,
            Traceparent::Unsampled => Some(Traces::new(plan.hash(), false)),
            Traceparent::Sampled => Some(Traces::new(plan.hash(), true)),
        };
        Self { plan, labels, headers, ok, traces, first: Mutex::default() }
    }

    /// When each way to fail was first seen, by the intended start.
    pub(super) fn first_failures(&self) -> BTreeMap<&'static str, Duration> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn bad(&self, index: usize, reason: &'static str) -> Verdict {
        let at = self.intended(index);
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = first.entry(reason).or_insert(at);
        *seen = at.min(*seen);
        Verdict::Bad(reason)
    }

    /// Whether sending it twice does no more than sending it once (RFC 9110, 9.2.2).
    fn idempotent(&self, index: usize) -> bool {
        let method = &self.plan.requests()[self.position(index)].method;
        [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE].contains(method)
    }

    fn position(&self, index: usize) -> usize {
        self.plan.arrivals()[index].request as usize
    }
}

impl Source for Work {
    fn labels(&self) -> &[Label] {
        &self.labels
    }

    fn len(&self) -> usize {
        self.plan.arrivals().len()
    }

    fn intended(&self, index: usize) -> Duration {
        Duration::from_nanos(self.plan.arrivals()[index].intended_ns)
    }

    fn label(&self, index: usize) -> usize {
        self.plan.requests()[self.position(index)].kind
    }

    fn request(&self, index: usize) -> Outgoing {
        let position = self.position(index);
        let request = &self.plan.requests()[position];
        Outgoing {
            label: request.kind,
            method: request.method.clone(),
            uri: request.uri.clone(),
            authorization: None,
            read_after: None,
            content_type: None,
            traceparent: None,
            headers: self.headers[position].clone(),
            body: request.body.clone(),
        }
    }

    /// A request that carries a trace of its own goes on with that.
    fn trace(&self, index: usize) -> Option<Trace> {
        let headers = self.headers[self.position(index)].as_ref();
        let has_own = headers.is_some_and(|headers| headers.contains_key(TRACEPARENT));
        self.traces.as_ref().filter(|_| !has_own).map(|traces| traces.of(index))
    }

    /// The status says all.
    fn reads_bodies(&self) -> bool {
        false
    }

    /// A full service's 503 is an answer like any other: a load generator that came back later
    /// would answer to the service's speed.
    fn answered(&self, index: usize, answer: &Answer) -> Verdict {
        if self.ok.contains(&answer.status) {
            return Verdict::Good;
        }
        // Statuses have three digits, so these names are at most 900.
        self.bad(index, name(&format!("status {}", answer.status)))
    }

    /// A server may close an idle connection just as it is used; every client sends what is
    /// idempotent once more then, and so does this one.
    fn broken(&self, index: usize, broken: Broken, sending: u64) -> Verdict {
        match broken {
            Broken::Exchange if sending == 1 && self.idempotent(index) => {
                Verdict::Again(Duration::ZERO)
            }
            Broken::Connect
            | Broken::Exchange
            | Broken::NotHttp
            | Broken::Timeout
            | Broken::TooLarge => self.bad(index, broken.name()),
        }
    }
}
