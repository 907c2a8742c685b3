//! The engine: what all connections and callbacks of one simulator share.
//!
//! Here belong the shared parts and the few things done to several of them at once. Each lock is
//! held for one step and never across an await; the simulator has one thread, so they are free.

use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::watch;

use super::callbacks::queue::{Job, Queue};
use super::draw::Key;
use super::fate::Step;
use super::faults::{Faults, FaultsError};
use super::index::Message;
use super::ledger::{Decision, Ledger, Submission, Verdict};
use super::lines::{LineFile, LogError};
use super::log::{CallbackEntry, monotonic_ns};
use super::options::Options;
use super::state::State;

/// What a simulator consists of, apart from its sockets.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) options: Options,
    /// What `Authorization` has to say.
    pub(crate) authorization: Vec<u8>,
    /// Signs Twilio's callbacks.
    pub(crate) twilio_key: hmac::Key,
    /// Checks the webhook's requests and signs its callbacks.
    pub(crate) webhook_key: hmac::Key,
    pub(crate) queue: Queue,
    faults: Mutex<Arc<Faults>>,
    ledger: Mutex<Ledger>,
    callback_log: Mutex<LineFile>,
    state: watch::Sender<State>,
}

impl Engine {
    /// Opens both logs; callbacks of an earlier run that were still to come are due again.
    pub(crate) fn open(options: Options) -> Result<Self, LogError> {
        let mut ledger = Ledger::open(options.clone())?;
        let callback_log = LineFile::open(&options.callback_log(), |entry: CallbackEntry, _| {
            if !entry.duplicate && entry.seq > 0 {
                ledger.index_mut().step_done((entry.seq - 1) as u32, entry.step);
            }
        })?;
        let messages = ledger.index().next_number();
        let engine = Self {
            authorization: authorization(&options),
            twilio_key: hmac::Key::new(
                hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
                options.auth_token.expose().as_bytes(),
            ),
            webhook_key: hmac::Key::new(
                hmac::HMAC_SHA256,
                options.webhook_secret.expose().as_bytes(),
            ),
            queue: Queue::new(options.limits.callbacks_waiting_max),
            faults: Mutex::new(Arc::new(options.faults.clone())),
            ledger: Mutex::new(ledger),
            callback_log: Mutex::new(callback_log),
            state: watch::Sender::new(State { messages: messages.into(), ..State::default() }),
            options,
        };
        engine.resume(messages);
        Ok(engine)
    }

    pub(crate) fn faults(&self) -> Arc<Faults> {
        Arc::clone(&self.faults.lock().expect("no holder panics"))
    }

    pub(crate) fn set_faults(&self, faults: Faults) -> Result<(), FaultsError> {
        faults.check()?;
        *self.faults.lock().expect("no holder panics") = Arc::new(faults);
        Ok(())
    }

    pub(crate) fn state(&self) -> &watch::Sender<State> {
        &self.state
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(change);
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("no holder panics")
    }

    /// Decides about a request, counts it and, where it is accepted, plans its callbacks.
    pub(crate) fn decide(&self, submission: &Submission<'_>) -> Verdict {
        let faults = self.faults();
        let (verdict, first) = {
            let mut ledger = self.ledger();
            let verdict = ledger.decide(submission, &faults);
            let first = match &verdict.decision {
                Decision::Accepted(accepted) => {
                    let number = accepted.number;
                    let message = ledger.index().message(number).expect("it was just added");
                    self.job(message, number, 0, accepted.moment.t_ns)
                }
                Decision::Repeated(_) | Decision::Refused(_) | Decision::Reset | Decision::Hang => {
                    None
                }
            };
            (verdict, first)
        };
        self.count(|state| match &verdict.decision {
            Decision::Accepted(_) => {
                state.accepted += 1;
                state.messages += 1;
            }
            Decision::Repeated(_) => state.repeated += 1,
            Decision::Refused(_) | Decision::Reset | Decision::Hang => {}
        });
        if let Some(job) = first {
            self.schedule(job);
        }
        verdict
    }

    /// Queues a callback; one for which there is no room is given up.
    pub(crate) fn schedule(&self, job: Job) {
        self.count(|state| state.callbacks.pending += 1);
        if let Err(job) = self.queue.push(job) {
            super::callbacks::give_up_unsent(self, job);
        }
    }

    /// Queues the step after this one, if there is one, and the duplicate of this one never.
    pub(crate) fn schedule_next(&self, job: Job) {
        let next = {
            let mut ledger = self.ledger();
            ledger.index_mut().step_done(job.number, job.step);
            ledger
                .index()
                .message(job.number)
                .and_then(|message| self.job(message, job.number, job.step + 1, job.due_ns))
        };
        if let Some(next) = next {
            self.schedule(next);
        }
    }

    pub(crate) fn log_callback(&self, entry: &CallbackEntry<&str>) {
        let written = self.callback_log.lock().expect("no holder panics").append(entry);
        if let Err(error) = written {
            tracing::error!(%error, "a callback's outcome could not be logged");
            self.count(|state| state.log_failures += 1);
        }
    }

    /// The job for the first step from `step` on that anyone wants to hear of, if there is one.
    fn job(&self, message: &Message, number: u32, step: u8, base_ns: u64) -> Option<Job> {
        let mut due_ns = base_ns;
        for n in step.. {
            let wanted = match message.plan.step(n.into())? {
                Step::Sent | Step::Final(_) => message.has_callback,
                Step::Reply(_) => true,
            };
            let delay = self.options.fates.delay(message.plan, n.into(), message.key);
            due_ns += delay.as_nanos() as u64;
            if wanted {
                return Some(Job { due_ns, number, step: n, tries: 0, duplicate: false });
            }
        }
        None
    }

    fn resume(&self, messages: u32) {
        let now_ns = monotonic_ns();
        let jobs: Vec<Job> = {
            let ledger = self.ledger();
            (0..messages)
                .filter_map(|number| {
                    let message = ledger.index().message(number)?;
                    self.job(message, number, message.steps_done, now_ns)
                })
                .collect()
        };
        jobs.into_iter().for_each(|job| self.schedule(job));
    }
}

impl Engine {
    /// The key of a message, for draws about it.
    pub(crate) fn key(&self, number: u32) -> Option<Key> {
        self.ledger().index().message(number).map(|message| message.key)
    }
}

/// RFC 7617: user and password as they are, base64.
fn authorization(options: &Options) -> Vec<u8> {
    let credentials = format!("{}:{}", options.account_sid, options.auth_token.expose());
    format!("Basic {}", STANDARD.encode(credentials)).into_bytes()
}
