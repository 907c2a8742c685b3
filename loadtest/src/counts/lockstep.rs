//! A day in lockstep: every stage is held, requests leave one after the other on one connection,
//! the clock stands, and then each stage works until it is idle, over and over until nothing is
//! due. So batches are cut by what there is and never by time, and the same plan makes the same
//! statements.
//!
//! The day goes by in slots: the clock is put to a slot's start for its requests and to its end for
//! what has fallen due. Never here: what is made of the counts (`document`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contract::{Limit, Stage};
use http::{HeaderMap, HeaderValue, Method};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::asked::Asked;
use super::callbacks::{Callback, FORM, SIGNATURE, Taken};
use super::document::{Answered, Document, MadeWith, Phase, SCHEMA, Sent};
use crate::client::{Client, JSON, NDJSON, bearer};
use crate::day::Plan;
use crate::day::request::{import_path, ndjson};
use crate::demo::stack_up::StackUp;
use crate::engine::connection::{Connection, Transport};
use crate::engine::source::{Answer, Outgoing};
use crate::exit::Failure;
use crate::progress::{Status, Step};
use crate::replay::Target;
use crate::replay::clock::ClockSetter;
use crate::replay::live::Keys;

/// Where the service believes that providers reach it: nobody listens there, so that only the
/// harness calls back.
pub(super) const PUBLIC_URL: &str = "http://127.0.0.1:1";

/// 27 slots make the day. In longer ones most texts would be of one batch, in shorter ones hardly
/// any would have company.
const SLOT: SignedDuration = SignedDuration::from_mins(30);
/// The stages that move messages, in the order of a message's way, and those that end with it.
const STAGES: [Stage; 8] = [
    Stage::Replan,
    Stage::Extend,
    Stage::Release,
    Stage::Claim,
    Stage::Deliver,
    Stage::Settle,
    Stage::Resolve,
    Stage::Fold,
];
/// Of requests by one connection, each is written as it comes: these two are not held.
const OPEN: [Stage; 2] = [Stage::Plan, Stage::Receive];
/// A request is answered well within this.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// The service enters a request in its books after its last byte left.
const BOOKED_WITHIN: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(10);
/// Rounds of all stages in a slot; each family's lane is worked on text by text.
const ROUNDS_MAX: usize = 1_000;

/// A service that does nothing by itself.
pub(super) struct Lockstep {
    plan: Arc<Plan>,
    target: Target,
    public: Connection,
    admin: Client,
    clock: ClockSetter,
    keys: Keys,
    taken: Taken,
    /// Answers of the phase, by endpoint.
    answered: BTreeMap<&'static str, Answered>,
    /// Requests so far, by endpoint.
    requests: BTreeMap<&'static str, u64>,
}

/// What a stage did.
#[derive(Deserialize)]
struct Ran {
    messages: u64,
}

#[derive(Deserialize)]
struct NewKey {
    api_key: String,
}

impl Lockstep {
    /// Counts a plan on a stack whose stages are held.
    pub(super) async fn run(plan: &Arc<Plan>, stack: &StackUp) -> Result<Document, Failure> {
        let target = stack.target();
        let address = |all: &[String]| all.first().cloned().unwrap_or_default();
        let mut this = Self {
            plan: plan.clone(),
            public: Connection::new(address(&target.public), ANSWER_WITHIN),
            admin: Client::new(&address(&target.admin), Some(&target.admin_key))?,
            clock: ClockSetter::new(&target)?,
            keys: Keys::new(),
            taken: Taken::default(),
            answered: BTreeMap::new(),
            requests: BTreeMap::new(),
            target,
        };
        for stage in OPEN {
            let path = format!("/admin/stages/{}", stage.name());
            this.admin.send(Method::PUT, &path, br#"{"gate":"open"}"#.to_vec()).await?;
        }
        let mut phases = BTreeMap::new();
        this.clock.hold(plan.origin()).await?;
        stack.checkpoint().await?;
        phases.insert("import".to_owned(), this.phase_of_import().await?);
        stack.checkpoint().await?;
        phases.insert("day".to_owned(), this.phase_of_day().await?);
        let profile = this.ask().await?.profile;
        Ok(Document {
            schema: SCHEMA.to_owned(),
            plan_hash: plan.hash().to_owned(),
            made_with: MadeWith { postgres: stack.postgres_major(), profile },
            phases,
        })
    }

    async fn phase_of_import(&mut self) -> Result<Phase, Failure> {
        let before = self.ask().await?;
        let plan = self.plan.clone();
        let admin = bearer(&self.target.admin_key)?;
        for practice in plan.practices() {
            let path = practice.path();
            let put = self.outgoing(Method::PUT, &path, Some(JSON), practice.body())?;
            self.send("put_practice", with_key(put, Some(admin.clone()))).await?;
            let post =
                self.outgoing(Method::POST, &format!("{path}/api-keys"), Some(JSON), b"{}")?;
            let answer = self.send("create_api_key", with_key(post, Some(admin.clone()))).await?;
            let key: NewKey = serde_json::from_slice(&answer.body)
                .map_err(|e| Failure::Unavailable(format!("{path}/api-keys: {e}")))?;
            self.keys.insert(practice.practice_id, bearer(&key.api_key)?);
        }
        let largest = usize::try_from(self.target.limit(Limit::BatchItems)).unwrap_or(usize::MAX);
        for batch in plan.import_batches(largest) {
            let practice_id = batch[0].practice_id();
            let path = import_path(practice_id);
            let post = self.outgoing(Method::POST, &path, Some(NDJSON), ndjson(batch))?;
            let key = self.keys.get(&practice_id).cloned();
            self.send("upsert_appointments", with_key(post, key)).await?;
        }
        self.stages().await?;
        self.phase(&before, Sent::default()).await
    }

    async fn phase_of_day(&mut self) -> Result<Phase, Failure> {
        let before = self.ask().await?;
        let sent = self.taken.sent;
        let plan = self.plan.clone();
        let slot_ns = u64::try_from(SLOT.as_nanos()).unwrap_or(u64::MAX);
        let slots = plan.window_ns().div_ceil(slot_ns);
        let mut step = Step::begin("counts", "slots", slots);
        let mut arrivals = plan.arrivals().iter().peekable();
        for slot in 0..slots {
            let status = Status { done: slot, per_second: step.rate(slot), ..Status::default() };
            step.show(&status);
            let (from, until) = (slot * slot_ns, (slot + 1) * slot_ns);
            self.clock.hold(at(plan.origin(), from)).await?;
            while let Some(arrival) = arrivals.next_if(|a| a.intended_domain_ns < until) {
                let request = &arrival.request;
                let body = request.body();
                let (method, kind) = match body {
                    Some(_) => (Method::POST, Some(JSON)),
                    None => (Method::GET, None),
                };
                let body = body.unwrap_or_default();
                let outgoing = self.outgoing(method, &request.path(), kind, body)?;
                let key = self.keys.get(&request.practice_id()).cloned();
                self.send(request.endpoint().name(), with_key(outgoing, key)).await?;
            }
            self.clock.hold(at(plan.origin(), until)).await?;
            self.stages().await?;
        }
        let phase = self.phase(&before, sent).await?;
        let requests: u64 = self.requests.values().sum();
        step.end(&format!("{requests} requests, {} texts", self.taken.sent.texts));
        Ok(phase)
    }

    /// All stages in turn, and the provider's word after them, until nobody has anything to do.
    async fn stages(&mut self) -> Result<(), Failure> {
        for _ in 0..ROUNDS_MAX {
            let mut done = 0;
            for stage in STAGES {
                let path = format!("/admin/stages/{}/run", stage.name());
                let ran: Ran = self.admin.send_for(Method::POST, &path, Vec::new()).await?;
                done += ran.messages;
            }
            let callbacks = self.taken.next(&self.target.provider_log)?;
            done += callbacks.len() as u64;
            for callback in callbacks {
                self.call_back(callback).await?;
            }
            if done == 0 {
                return Ok(());
            }
        }
        Err(Failure::Unavailable(format!(
            "the stages found something to do {ROUNDS_MAX} times in a row: one of them never ends"
        )))
    }

    async fn call_back(&mut self, callback: Callback) -> Result<(), Failure> {
        let Callback { path, body, signature, endpoint } = callback;
        let mut headers = HeaderMap::new();
        let signature = HeaderValue::from_str(&signature)
            .map_err(|_| Failure::Unavailable("base64 that is no header".to_owned()))?;
        headers.insert(SIGNATURE, signature);
        let outgoing = self.outgoing(Method::POST, &path, Some(FORM), body)?;
        let outgoing = Outgoing { headers: Some(Arc::new(headers)), ..outgoing };
        self.send(endpoint, outgoing).await.map(drop)
    }

    fn outgoing(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&'static str>,
        body: impl AsRef<[u8]>,
    ) -> Result<Outgoing, Failure> {
        let uri = path.parse().map_err(|_| Failure::Unavailable(format!("{path}: no URI")))?;
        let body = bytes::Bytes::copy_from_slice(body.as_ref());
        Ok(Outgoing { method, uri, content_type, body, ..Outgoing::default() })
    }

    /// Sends a request and counts its answer. Whatever isn't answered well ends it: two builds of
    /// which one refuses did not do the same.
    async fn send(
        &mut self,
        endpoint: &'static str,
        outgoing: Outgoing,
    ) -> Result<Answer, Failure> {
        let what = format!("{} {}", outgoing.method, outgoing.uri);
        let answer = self.public.exchange(&outgoing).await;
        let answer = answer.map_err(|broken| Failure::Unavailable(format!("{what}: {broken}")))?;
        if !(200..300).contains(&answer.status) {
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            return Err(Failure::Unavailable(format!(
                "{what}: answered {}: {said}",
                answer.status
            )));
        }
        *self.requests.entry(endpoint).or_default() += 1;
        let answered = self.answered.entry(endpoint).or_default();
        answered.requests += 1;
        answered.bytes += steady_length(&answer.body);
        Ok(answer)
    }

    /// What the service has counted, once it has entered all that was answered.
    async fn ask(&mut self) -> Result<Asked, Failure> {
        let until = Instant::now() + BOOKED_WITHIN;
        loop {
            let asked = Asked::now(&mut self.admin).await?;
            let Some((endpoint, counted)) = asked.other_than(&self.requests) else {
                return Ok(asked);
            };
            if Instant::now() > until {
                let answered = self.requests.get(endpoint).copied().unwrap_or(0);
                return Err(Failure::Unavailable(format!(
                    "the service counts {counted} requests of {endpoint}, and {answered} were \
                     answered; does anybody else ask it?"
                )));
            }
            sleep(LOOK).await;
        }
    }

    async fn phase(&mut self, before: &Asked, sent: Sent) -> Result<Phase, Failure> {
        let after = self.ask().await?;
        let Sent { texts, bytes } = self.taken.sent;
        let provider = Sent { texts: texts - sent.texts, bytes: bytes - sent.bytes };
        let answered = std::mem::take(&mut self.answered);
        Ok(Phase::between(before, &after, &answered, provider))
    }
}

fn with_key(outgoing: Outgoing, authorization: Option<HeaderValue>) -> Outgoing {
    Outgoing { authorization, ..outgoing }
}

fn at(origin: Timestamp, offset_ns: u64) -> Timestamp {
    let offset = SignedDuration::from_nanos(i64::try_from(offset_ns).unwrap_or(i64::MAX));
    origin.saturating_add(offset).unwrap_or(Timestamp::MAX)
}

/// A body's length without the fractions of its seconds, which have as many digits as they need:
/// one in ten instants has one digit fewer.
fn steady_length(body: &[u8]) -> u64 {
    let mut length = body.len();
    let mut at = 0;
    while let Some(dot) = body[at..].iter().position(|&byte| byte == b'.') {
        let dot = at + dot;
        let digits = body[dot + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let is_seconds = dot >= 3
            && body[dot - 3] == b':'
            && body[dot - 2].is_ascii_digit()
            && body[dot - 1].is_ascii_digit();
        if is_seconds {
            length -= 1 + digits;
        }
        at = dot + 1;
    }
    length as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_of_seconds_do_not_count() {
        let length = |text: &str| steady_length(text.as_bytes());
        let whole = length("{\"sent_at\":\"2027-03-09T09:00:00Z\",\"x\":1}");
        assert_eq!(length("{\"sent_at\":\"2027-03-09T09:00:00.123456Z\",\"x\":1}"), whole);
        assert_eq!(length("{\"sent_at\":\"2027-03-09T09:00:00.1Z\",\"x\":1}"), whole);
        assert_eq!(length("1.5 and a sentence. 12:3.4"), 26, "what is no time counts whole");
        assert_eq!(length(""), 0);
    }

    #[test]
    fn slots_begin_where_the_day_does() {
        let origin: Timestamp = "2027-03-09T11:00:00Z".parse().expect("an instant");
        let later: Timestamp = "2027-03-09T11:30:00Z".parse().expect("an instant");
        assert_eq!(at(origin, 30 * 60 * 1_000_000_000), later);
    }
}
