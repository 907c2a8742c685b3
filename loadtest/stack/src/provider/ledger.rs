//! The ledger: decides about each request, and writes down what it accepts before anyone is told.
//!
//! Here belongs the decision about one request and the line it leaves; what the client sees of it
//! is in `twilio` and `webhook`, what lies in memory in `index`.

use std::io;
use std::time::Duration;

use super::draw::{Key, Purpose};
use super::faults::{Fault, Faults};
use super::hex;
use super::index::{Index, Message};
use super::lines::{LineFile, LogError};
use super::log::{LogEntry, Moment, ProviderKind};
use super::options::Options;
use super::reference::Reference;

/// A request that is well-formed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Submission<'a> {
    pub(crate) provider: ProviderKind,
    pub(crate) to: &'a str,
    pub(crate) from: Option<&'a str>,
    pub(crate) body: &'a str,
    pub(crate) callback: Option<&'a str>,
    pub(crate) messaging_service_sid: Option<&'a str>,
    pub(crate) idempotency_key: Option<&'a str>,
    pub(crate) form_digest: u64,
}

/// What becomes of a request, and how long its answer takes.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) latency: Duration,
    /// Whether the answer is lost on its way.
    pub(crate) lost: bool,
    pub(crate) decision: Decision,
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Decision {
    Accepted(Accepted),
    /// The idempotency key was accepted before: this is what was accepted.
    Repeated(Box<LogEntry>),
    Refused(Refusal),
    Reset,
    Hang,
}

/// Why a request is not accepted although nothing is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A fault on purpose, or the log could not be written.
    InternalError,
    /// A fault on purpose, or the simulator is full.
    Unavailable,
    /// A fault on purpose.
    TooManyRequests,
}

/// A text that is in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    pub(crate) number: u32,
    pub(crate) reference: Reference,
    pub(crate) moment: Moment,
}

/// The log and its index.
#[derive(Debug)]
pub(crate) struct Ledger {
    options: Options,
    log: LineFile,
    index: Index,
}

impl Ledger {
    /// Opens the log and takes in what is there.
    pub(crate) fn open(options: Options) -> Result<Self, LogError> {
        let mut index = Index::default();
        let log = LineFile::open(&options.log, |entry: LogEntry, place| {
            let key = Key::of(options.seed, entry.to.as_bytes(), entry.body.as_bytes());
            index.add(key, &entry, place);
        })?;
        Ok(Self { options, log, index })
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    pub(crate) fn index_mut(&mut self) -> &mut Index {
        &mut self.index
    }

    /// Reads a message's line back.
    pub(crate) fn read(&self, message: &Message) -> io::Result<LogEntry> {
        self.log.read(message.place)
    }

    /// Decides about a request. When this returns `Accepted`, its line is in the log.
    pub(crate) fn decide(&mut self, submission: &Submission<'_>, faults: &Faults) -> Verdict {
        let key = Key::of(self.options.seed, submission.to.as_bytes(), submission.body.as_bytes());
        if self.index.fullest() >= self.options.limits.messages_max as usize {
            return Verdict::at_once(Refusal::Unavailable);
        }
        let attempt = self.index.count_attempt(key);
        let fault = faults.choose(key, attempt);
        let decision = match fault {
            Some(Fault::Reset) => Decision::Reset,
            Some(Fault::Hang) => Decision::Hang,
            Some(Fault::TooManyRequests) => Decision::Refused(Refusal::TooManyRequests),
            Some(Fault::ServerError) => Decision::Refused(server_error(key, attempt)),
            Some(Fault::AcceptThenDrop) | None => {
                self.accept(submission, key, attempt, fault, faults)
            }
        };
        Verdict {
            latency: faults.latency.at(key.unit(Purpose::Latency, attempt)),
            lost: fault == Some(Fault::AcceptThenDrop),
            decision,
        }
    }

    fn accept(
        &mut self,
        submission: &Submission<'_>,
        key: Key,
        attempt: u32,
        fault: Option<Fault>,
        faults: &Faults,
    ) -> Decision {
        let known = submission.idempotency_key.and_then(|key| self.index.idempotent(key));
        let decided = match known.and_then(|number| self.index.message(number)) {
            Some(message) => self.read(message).map(|entry| Decision::Repeated(Box::new(entry))),
            None => self.write(submission, key, attempt, fault, faults).map(Decision::Accepted),
        };
        decided.unwrap_or_else(|error| {
            tracing::error!(%error, log = %self.log.path().display(), "the log is out of order");
            Decision::Refused(Refusal::InternalError)
        })
    }

    fn write(
        &mut self,
        submission: &Submission<'_>,
        key: Key,
        attempt: u32,
        fault: Option<Fault>,
        faults: &Faults,
    ) -> io::Result<Accepted> {
        let number = self.index.next_number();
        let prefix = match submission.provider {
            ProviderKind::Twilio => *b"SM",
            ProviderKind::Webhook => *b"WM",
        };
        let reference = Reference::new(prefix, key, attempt, number);
        let moment = Moment::now();
        let mut plan = self.options.fates.plan(faults, key);
        // A reply needs someone to go to and somewhere to go.
        if self.options.inbound_url.is_none() || submission.from.is_none() {
            plan.reply = None;
        }
        let form_digest = hex::text(&submission.form_digest.to_be_bytes());
        let entry = LogEntry {
            seq: u64::from(number) + 1,
            t_ns: moment.t_ns,
            real: moment.real,
            sid: reference.as_str(),
            to: submission.to,
            from: submission.from,
            body: submission.body,
            callback: submission.callback,
            provider: submission.provider,
            attempt,
            fault,
            plan,
            messaging_service_sid: submission.messaging_service_sid,
            idempotency_key: submission.idempotency_key,
            form_digest: form_digest.as_str(),
        };
        let place = self.log.append(&entry)?;
        self.index.add(key, &entry, place);
        Ok(Accepted { number, reference, moment })
    }
}

impl Verdict {
    fn at_once(refusal: Refusal) -> Self {
        Self { latency: Duration::ZERO, lost: false, decision: Decision::Refused(refusal) }
    }
}

fn server_error(key: Key, attempt: u32) -> Refusal {
    if key.unit(Purpose::ServerErrorStatus, attempt) < 0.5 {
        Refusal::InternalError
    } else {
        Refusal::Unavailable
    }
}
