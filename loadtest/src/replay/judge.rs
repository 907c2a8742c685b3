//! After the day: gathers what the laws are judged by (the audit, the provider's log, reads of the
//! service, the answers that were kept) and has them judged.
//!
//! Never here: a law (`laws`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use stack::provider::Faults;
use tokio::time::Instant;

use super::cancellations::{self, Joined};
use super::jobs::{CONNECTIONS, Job, Worked, work_off};
use super::live::Keys;
use super::probe;
use super::target::Target;
use super::watch;
use crate::client::{Client, ClientError};
use crate::day::{Plan, Practice, Request};
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::laws::audit::{Audit, AuditCheck};
use crate::laws::cancelled::{By, Fate, Reads, Stopped};
use crate::laws::counts::DayCounts;
use crate::laws::hours::{Hours, Pace};
use crate::laws::limits::{self, Probes, Refusals, SlowHeads};
use crate::laws::wire::Wire;
use crate::laws::{Check, cancelled, counts, family, hours, named, once, order};
use crate::progress::Step;
use crate::report::units::{count, latency};
use crate::scrape::Metrics;

/// An audit of half a million messages takes some tens of seconds here.
const AUDIT_WITHIN: Duration = Duration::from_secs(600);

/// What is judged.
pub(crate) struct Case<'a> {
    pub(crate) plan: &'a Arc<Plan>,
    pub(crate) keys: &'a Keys,
    pub(crate) target: &'a Target,
    /// After which a read has seen the whole day, whichever server answers.
    pub(crate) token: Option<HeaderValue>,
    pub(crate) stopped: &'a [Stopped],
    pub(crate) refusals: Refusals,
    /// Texts that the provider had accepted before the day: the calibration's.
    pub(crate) texts_before: u64,
    /// The replay's start on the machine's monotonic clock.
    pub(crate) start_ns: u64,
    pub(crate) speed: f64,
    /// When domain time stood still again.
    pub(crate) stood_at: Timestamp,
    pub(crate) interrupt: &'a Interrupt,
}

impl Case<'_> {
    /// Reads are made with the practices' own keys.
    fn worked(&self) -> Worked<'_> {
        Worked { addresses: &self.target.public, connections: CONNECTIONS, key: None }
    }
}

/// What was found.
pub(crate) struct Judged {
    pub(crate) checks: Vec<Check>,
    pub(crate) faults: std::collections::BTreeMap<String, u64>,
}

/// Gathers and judges. `slow` was opened before the day.
pub(crate) async fn judge(case: &Case<'_>, slow: SlowHeads) -> Result<Judged, Failure> {
    let mut checks = audit(case).await?;
    let reads = read_cancelled(case).await?;
    let day_counts = read_counts(case).await?;
    let wire = read_log(case).await?;
    let promise = case.plan.promise();
    let at = (case.start_ns, case.speed);
    let joined = cancellations::join(case.plan, case.stopped, &reads, at);
    checks.extend(of_the_wire(case, &wire, lost_answers_promised(case, &wire).await));
    checks.extend([
        counts::counts_add_up(&day_counts, promise.practice_rules_min),
        counts::sent_is_what_was_accepted(&wire, &day_counts, practices_with_texts(case.plan)),
    ]);
    checks.extend(of_the_cancellations(case, &wire, &joined, &reads));
    checks.extend(bounds(case, slow).await?);
    Ok(Judged { checks, faults: wire.faults })
}

fn practices_with_texts(plan: &Plan) -> u64 {
    plan.practices().iter().filter(|practice| practice.texts.0 > 0).count() as u64
}

fn of_the_wire(case: &Case<'_>, wire: &Wire, lost_min: u64) -> Vec<Check> {
    let promise = case.plan.promise();
    let all = promise.messages_min + case.texts_before;
    let planned = wire.accepted.iter().filter(|text| !probe::is_of_probe(text.practice_id));
    let texts = planned.count() as u64;
    vec![
        once::no_message_twice(wire, all),
        once::lost_answers_are_resolved(wire, lost_min),
        order::in_order(wire, promise.recipients_in_order_min),
        hours::within_hours(wire, &hours_of(case.plan), &pace(case), promise.messages_min),
        family::same_words_once(wire, all),
        family::families_share(wire, promise.family_messages_min),
        family::no_more_than_planned(texts, promise.messages_min, promise.messages_max),
    ]
}

fn hours_of(plan: &Plan) -> HashMap<i64, Hours> {
    let hours = |practice: &Practice| Hours {
        zone: TimeZone::get(&practice.timezone).expect("the plan was made with it"),
        from: practice.send_from,
        until: practice.send_until,
    };
    plan.practices().iter().map(|practice| (practice.practice_id, hours(practice))).collect()
}

fn pace(case: &Case<'_>) -> Pace {
    let Case { plan, start_ns, speed, stood_at, .. } = *case;
    Pace { start_ns, origin: plan.origin(), speed, stood_at }
}

fn of_the_cancellations(
    case: &Case<'_>,
    wire: &Wire,
    joined: &Joined,
    reads: &Reads,
) -> Vec<Check> {
    let promise = case.plan.promise();
    let in_time = promise.cancellations_in_time_min + promise.cancellations_in_time_later_min;
    let too_late = promise.cancellations_too_late_min;
    let calls =
        in_time + too_late + promise.cancellations_near_due + promise.cancellations_of_nothing;
    let Joined { cancellations, unknown } = joined;
    vec![
        cancelled::calls_are_answered(case.stopped, unknown, calls),
        cancelled::nothing_leaves(wire, cancellations, By::Call, in_time),
        cancelled::nothing_leaves(
            wire,
            cancellations,
            By::Upsert,
            promise.cancellations_unsaid_min,
        ),
        // Some of those texts fail for good, or are no case by their words.
        cancelled::too_late_is_seen(wire, cancellations, reads, too_late * 4 / 5),
        cancelled::not_shown_as_sent(cancellations, reads, promise.cancellations_in_time_min),
    ]
}

/// Half of what the provider's setting makes likely, so that chance doesn't decide.
async fn lost_answers_promised(case: &Case<'_>, wire: &Wire) -> u64 {
    let Ok(mut provider) = Client::new(&case.target.provider, None) else { return 0 };
    match provider.get::<Faults>("/control/faults").await {
        Ok(faults) => {
            (wire.accepted.len() as f64 * faults.accept_then_drop_share / 2.0).floor() as u64
        }
        Err(_) => 0,
    }
}

async fn audit(case: &Case<'_>) -> Result<Vec<Check>, Failure> {
    let address = case.target.admin.first().map_or("", String::as_str);
    let mut admin = Client::new(address, Some(&case.target.admin_key))?.within(AUDIT_WITHIN);
    let step = Step::begin("audit", "checks", 1);
    let began = Instant::now();
    let audit: Audit = tokio::select! {
        audit = admin.get("/admin/audit") => audit?,
        () = case.interrupt.stop.cancelled() => return Err(Failure::Interrupted),
    };
    let took = latency(began.elapsed().as_secs_f64());
    step.end(&format!("{} checks of the database's side in {took}", audit.checks.len()));
    let promise = case.plan.promise();
    let promised = |check: &AuditCheck| match (check.law, check.name.as_str()) {
        (1, "tally") => promise.practice_rules_min,
        (1 | 2, _) | (7, "groups") => promise.messages_min + case.texts_before,
        (3, _) => promise.recipients_in_order_min,
        (4, _) => promise.cancellations_in_time_min,
        (7, "families") => promise.family_messages_min,
        (12, _) => named::promised(promise).len() as u64,
        // A check that this harness does not know of must have looked at something.
        (_, _) => 1,
    };
    Ok(audit.checks(promised))
}

async fn read_cancelled(case: &Case<'_>) -> Result<Reads, Failure> {
    let requests = cancellations::cancelled_appointments(case.plan, case.stopped);
    let job = Arc::new(ReadAppointments {
        requests,
        keys: case.keys.clone(),
        token: case.token.clone(),
        reads: Mutex::default(),
    });
    let total = job.requests.len() as u64;
    let mut step = Step::begin("reads", "appointments", total);
    work_off(job.clone(), case.worked(), &mut step, case.interrupt).await?;
    step.end(&format!("{} cancelled appointments read again", count(total)));
    Ok(std::mem::take(&mut *job.reads.lock().unwrap_or_else(PoisonError::into_inner)))
}

struct ReadAppointments {
    requests: Vec<Request>,
    keys: Keys,
    token: Option<HeaderValue>,
    reads: Mutex<Reads>,
}

#[derive(Deserialize)]
struct AppointmentRead {
    appointment_id: String,
    messages: Vec<Fate>,
}

impl Job for ReadAppointments {
    fn count(&self) -> usize {
        self.requests.len()
    }

    async fn run(&self, client: &mut Client, index: usize) -> Result<u64, ClientError> {
        let request = &self.requests[index];
        let practice_id = request.practice_id();
        client.present(self.keys.get(&practice_id).cloned());
        client.present_token(self.token.clone());
        let read: AppointmentRead = client.get(&request.path()).await?;
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        reads.insert((practice_id, read.appointment_id), read.messages);
        Ok(1)
    }
}

async fn read_counts(case: &Case<'_>) -> Result<Vec<(i64, DayCounts)>, Failure> {
    let job = Arc::new(ReadCounts {
        plan: case.plan.clone(),
        keys: case.keys.clone(),
        token: case.token.clone(),
        counts: Mutex::default(),
    });
    let total = case.plan.practices().len() as u64;
    let mut step = Step::begin("counts", "practices", total);
    work_off(job.clone(), case.worked(), &mut step, case.interrupt).await?;
    step.end(&format!("daily counts of {} practices", count(total)));
    let counts = std::mem::take(&mut *job.counts.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(counts.into_iter().collect())
}

struct ReadCounts {
    plan: Arc<Plan>,
    keys: Keys,
    token: Option<HeaderValue>,
    counts: Mutex<HashMap<i64, DayCounts>>,
}

impl Job for ReadCounts {
    fn count(&self) -> usize {
        self.plan.practices().len()
    }

    async fn run(&self, client: &mut Client, index: usize) -> Result<u64, ClientError> {
        let practice_id = self.plan.practices()[index].practice_id;
        client.present(self.keys.get(&practice_id).cloned());
        client.present_token(self.token.clone());
        let path = format!("/v1/practices/{practice_id}/days/{}/counts", self.plan.day());
        let counts: DayCounts = client.get(&path).await?;
        let mut all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(practice_id, counts);
        Ok(1)
    }
}

async fn read_log(case: &Case<'_>) -> Result<Wire, Failure> {
    let path = case.target.provider_log.clone();
    let phones = cancellations::phones(case.plan, case.stopped);
    // Half a million lines take some seconds of one core.
    let read = tokio::task::spawn_blocking(move || Wire::read(&path, |to| phones.contains(&to)));
    let read = read.await.map_err(|error| Failure::Unavailable(error.to_string()))?;
    read.map_err(|error| Failure::Unavailable(format!("the provider's log: {error}")))
}

async fn bounds(case: &Case<'_>, slow: SlowHeads) -> Result<Vec<Check>, Failure> {
    let first = |addresses: &[String]| addresses.first().cloned().unwrap_or_default();
    let practice = case.plan.practices().first().map_or(1, |p| p.practice_id);
    let admin = first(&case.target.admin);
    let probes = Probes {
        public: first(&case.target.public),
        admin: admin.clone(),
        appointments_path: crate::day::request::import_path(practice),
        key: case.target.admin_key.clone(),
        configured: case.target.limits.clone(),
    };
    // What can't be read counts as nothing reached, which is too few cases.
    let metrics = async || match Client::new(&admin, None) {
        Ok(client) => watch::scrape(&mut [client]).await.unwrap_or_default(),
        Err(_) => Metrics::default(),
    };
    let step = Step::begin("limits", "bounds", 1);
    let reached = tokio::select! {
        reached = probes.run(slow, metrics) => reached,
        () = case.interrupt.stop.cancelled() => return Err(Failure::Interrupted),
    };
    let recovered = probes.recovers().await;
    step.end(&format!("{} bounds reached on purpose", reached.cases));
    Ok(vec![reached, recovered, limits::refusals_say_when_to_come_back(case.refusals)])
}
