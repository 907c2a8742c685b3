//! Callbacks: tells the service what became of each text, and what recipients reply, in time,
//! signed, and again until it listens.
//!
//! Here belongs the life of one callback. When it is due is in `queue`, what it says in
//! `outgoing`, how it travels in `client`, which there are in `fate`.

pub(crate) mod client;
pub(crate) mod outgoing;
pub(crate) mod queue;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::client::Client;
use self::outgoing::Outgoing;
use self::queue::Job;
use super::draw::Purpose;
use super::engine::Engine;
use super::fate::{ReplyKind, Step};
use super::log::{CallbackEntry, CallbackOutcome, LogEntry, Moment, monotonic_ns};

/// The pause after the first failed try; it doubles with each.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// A duplicate follows its original within this time, so that some of them race it.
const DUPLICATE_WITHIN: Duration = Duration::from_millis(50);

/// How one try ended: with an answer's status or without an answer.
type Tried = Option<u16>;

/// Sends callbacks as they fall due, for as long as it is polled.
pub(crate) async fn run(engine: Arc<Engine>) {
    let in_flight_max = engine.options.limits.callbacks_in_flight_max;
    let permits = Arc::new(Semaphore::new(in_flight_max));
    let client = Arc::new(Client::new(in_flight_max));
    loop {
        // The permit first: a job that was taken out of the queue is always sent at once.
        let permit = Arc::clone(&permits).acquire_owned().await;
        let permit = permit.expect("nobody closes the semaphore");
        let job = engine.queue.next().await;
        let (engine, client) = (Arc::clone(&engine), Arc::clone(&client));
        tokio::spawn(async move {
            deliver(&engine, &client, job).await;
            drop(permit);
        });
    }
}

/// Ends a callback for which there was no room to wait.
pub(crate) fn give_up_unsent(engine: &Engine, job: Job) {
    if let Some((entry, step)) = look_up(engine, job) {
        finish(engine, job, &entry, step, CallbackOutcome::GivenUp, None);
    }
}

async fn deliver(engine: &Engine, client: &Client, mut job: Job) {
    let Some((entry, step)) = look_up(engine, job) else {
        return;
    };
    if job.tries == 0 && !job.duplicate {
        duplicate(engine, job);
    }
    job.tries += 1;
    engine.count(|state| state.callbacks.in_flight += 1);
    let tried = attempt(engine, client, &entry, step).await;
    engine.count(|state| state.callbacks.in_flight -= 1);
    match tried {
        Some(200..=299) => finish(engine, job, &entry, step, CallbackOutcome::Acknowledged, tried),
        Some(_) | None => retry_or_give_up(engine, job, &entry, step, tried),
    }
}

async fn attempt(engine: &Engine, client: &Client, entry: &LogEntry, step: Step) -> Tried {
    let outgoing = Outgoing::new(engine, entry, step)?;
    let deadline = engine.options.limits.callback_deadline;
    match timeout(deadline, client.post(&outgoing)).await {
        Ok(Ok(status)) => Some(status),
        Ok(Err(error)) => {
            tracing::debug!(%error, sid = entry.sid, "a callback was not answered");
            None
        }
        Err(_) => {
            tracing::debug!(sid = entry.sid, "a callback was not answered in time");
            None
        }
    }
}

fn retry_or_give_up(engine: &Engine, job: Job, entry: &LogEntry, step: Step, tried: Tried) {
    engine.count(|state| state.callbacks.tries_failed += 1);
    if job.tries >= engine.options.limits.callback_tries_max {
        tracing::warn!(sid = entry.sid, tries = job.tries, "a callback was given up");
        return finish(engine, job, entry, step, CallbackOutcome::GivenUp, tried);
    }
    let doubled = PAUSE_MIN.saturating_mul(1 << (job.tries - 1).min(16));
    let pause = doubled.min(PAUSE_MAX);
    engine.schedule(Job { due_ns: monotonic_ns() + pause.as_nanos() as u64, ..job });
    engine.count(|state| state.callbacks.pending -= 1);
}

/// Notes how a callback ended and queues the one after it.
fn finish(
    engine: &Engine,
    job: Job,
    entry: &LogEntry,
    step: Step,
    outcome: CallbackOutcome,
    tried: Tried,
) {
    let moment = Moment::now();
    engine.log_callback(&CallbackEntry {
        seq: entry.seq,
        sid: entry.sid.as_str(),
        to: entry.to.as_str(),
        step: job.step,
        status: status(step),
        reply: reply(step),
        duplicate: job.duplicate,
        outcome,
        http_status: tried,
        tries: job.tries,
        due_ns: job.due_ns,
        t_ns: moment.t_ns,
        real: moment.real,
    });
    // The next one is pending before this one isn't, so that "nothing pending" means done.
    if !job.duplicate {
        engine.schedule_next(job);
    }
    engine.count(|state| {
        state.callbacks.pending -= 1;
        let counter = match (step, outcome) {
            (Step::Sent | Step::Final(_), CallbackOutcome::Acknowledged) => {
                &mut state.callbacks.acknowledged
            }
            (Step::Sent | Step::Final(_), CallbackOutcome::GivenUp) => {
                &mut state.callbacks.given_up
            }
            (Step::Reply(_), CallbackOutcome::GivenUp) => &mut state.replies.given_up,
            (Step::Reply(kind), CallbackOutcome::Acknowledged) => match kind {
                ReplyKind::Yes => &mut state.replies.yes,
                ReplyKind::No => &mut state.replies.no,
                ReplyKind::Stop => &mut state.replies.stop,
                ReplyKind::Text => &mut state.replies.text,
            },
        };
        *counter += 1;
    });
}

fn duplicate(engine: &Engine, job: Job) {
    let Some(key) = engine.key(job.number) else {
        return;
    };
    let step = job.step.into();
    if key.unit(Purpose::Duplicate, step) < engine.faults().duplicate_callback_share {
        let after = DUPLICATE_WITHIN.mul_f64(key.unit(Purpose::DuplicateDelay, step));
        engine.count(|state| state.callbacks.duplicates += 1);
        engine.schedule(Job {
            due_ns: job.due_ns + after.as_nanos() as u64,
            duplicate: true,
            ..job
        });
    }
}

/// The text that a job is about and the step of it; without them there is nothing to send.
fn look_up(engine: &Engine, job: Job) -> Option<(LogEntry, Step)> {
    let ledger = engine.ledger();
    let message = ledger.index().message(job.number).expect("jobs are made from messages");
    let step = message.plan.step(job.step.into()).expect("jobs are made from steps");
    match ledger.read(message) {
        Ok(entry) => Some((entry, step)),
        Err(error) => {
            tracing::error!(%error, "the log can't be read back; a callback is lost");
            engine.count(|state| {
                state.log_failures += 1;
                state.callbacks.pending -= 1;
                state.callbacks.given_up += 1;
            });
            None
        }
    }
}

/// Twilio's word for a step.
pub(crate) fn status(step: Step) -> &'static str {
    match step {
        Step::Sent => "sent",
        Step::Final(fate) => fate.status(),
        Step::Reply(_) => "received",
    }
}

fn reply(step: Step) -> Option<ReplyKind> {
    match step {
        Step::Sent | Step::Final(_) => None,
        Step::Reply(kind) => Some(kind),
    }
}
