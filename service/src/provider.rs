//! Who sends the texts: one trait, a client for each provider, and what all of them need (a
//! connection pool with deadlines, signatures, signed callback addresses).
//!
//! Belongs here: how a provider spells things and what its answers mean for one try. Never here:
//! what becomes of a message after a try (`stages::settle`), what a receipt changes (`receipts`).

pub(crate) mod callback;
mod client;
mod outcome;
mod signature;
mod twilio;
mod webhook;

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use contract::{DeliveryOutcome, Limit};
use http::HeaderMap;
use jiff::Timestamp;
use jiff::civil::Date;
use rustls::RootCertStore;

use crate::authorities;
use crate::config::{Config, ProviderKind};
use crate::obs::exemplar::TraceId;
use crate::phone::Phone;
use crate::receipts::Receipt;

/// A future without a type of its own, for the trait's object.
type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One try to hand a text over.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    /// Whose text.
    pub(crate) practice_id: i64,
    /// Which text; with the practice, its name, until a primary is lost with it.
    pub(crate) message_id: i64,
    /// On which of its practice's days it was due.
    pub(crate) local_day: Date,
    /// Under which rule.
    pub(crate) rule_id: i16,
    /// Which try, from one.
    pub(crate) attempt_no: i16,
    /// To whom.
    pub(crate) to: Phone,
    /// From which of the practice's numbers.
    pub(crate) from: Phone,
    /// What it says.
    pub(crate) body: String,
    /// Which trace the try belongs to.
    pub(crate) trace: TraceId,
}

/// How one try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// In short.
    pub(crate) outcome: DeliveryOutcome,
    /// The answer's status, if there was one.
    pub(crate) http_status: Option<i16>,
    /// The provider's code for what is wrong.
    pub(crate) error_code: Option<i32>,
    /// The provider's name for the text.
    pub(crate) provider_ref: Option<String>,
    /// How long the provider asks us to wait.
    pub(crate) retry_after: Option<Duration>,
    /// The recipient told the provider that they want no texts.
    pub(crate) is_opted_out: bool,
}

/// A try whose answer was lost.
#[derive(Debug, Clone)]
pub(crate) struct Lost {
    /// The try.
    pub(crate) outgoing: Outgoing,
    /// When it began.
    pub(crate) started_at: Timestamp,
}

/// What asking the provider about a lost answer gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Look {
    /// These may be it, oldest first: texts like it that the provider took at that time.
    Accepted(Vec<Found>),
    /// The provider knows no such text, now.
    NotFound,
    /// It refused the text for good, when it was asked once more under the same key.
    Refused(Answer),
    /// It could not be asked.
    Unknown,
}

/// A text that the provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The provider's name for it.
    pub(crate) provider_ref: String,
    /// When it took it.
    pub(crate) accepted_at: Timestamp,
}

/// A stretch of real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// From then on.
    pub(crate) since: Timestamp,
    /// Before then.
    pub(crate) until: Timestamp,
}

/// A page of what a provider took in a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listing {
    /// Some texts, and where the next page is.
    Page {
        /// In the provider's order.
        texts: Vec<Listed>,
        /// None after the last page.
        next: Option<String>,
    },
    /// The provider keeps no list.
    None,
    /// There is no page, and why.
    Failed(String),
}

/// A text on a provider's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The provider's name for it.
    pub(crate) provider_ref: String,
    /// From which number, if from one.
    pub(crate) from: Option<Phone>,
    /// To which number, if to one.
    pub(crate) to: Option<Phone>,
    /// When it took it.
    pub(crate) accepted_at: Timestamp,
}

/// What a provider says became of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusCallback {
    /// The provider's name for the text.
    pub(crate) provider_ref: String,
    /// How far it got; `None` while it is under way.
    pub(crate) receipt: Option<Receipt>,
    /// The provider's code for what is wrong.
    pub(crate) error_code: Option<i32>,
}

/// A text that a patient sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InboundText {
    /// The provider's name for it.
    pub(crate) provider_ref: String,
    /// From whom.
    pub(crate) from: Phone,
    /// To which of the practices' numbers.
    pub(crate) to: Phone,
    /// What it says.
    pub(crate) body: String,
}

/// Why a callback isn't taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallbackError {
    /// Its signature is missing or wrong.
    #[error("the provider's signature is missing or wrong")]
    Signature,
    /// It lacks a field, or has one that can't be read.
    #[error("{0}")]
    Malformed(&'static str),
}

/// A request of the provider to us, as it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Callback<'a> {
    /// Path and query, as they were sent.
    pub(crate) path_and_query: &'a str,
    /// Its headers.
    pub(crate) headers: &'a HeaderMap,
    /// Its whole body.
    pub(crate) body: &'a [u8],
}

/// What a provider's client does. No connection to the database is held while it works.
trait Api: Send + Sync {
    /// Tries once to hand a text over.
    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> Boxed<'a, Answer>;

    /// Finds out whether a try whose answer was lost was accepted.
    fn look_up<'a>(&'a self, lost: &'a Lost) -> Boxed<'a, Look>;

    /// Lists what it took in a stretch of time; `next` is where an earlier page said that the next
    /// one is.
    fn list<'a>(&'a self, span: &'a Span, next: Option<&'a str>) -> Boxed<'a, Listing>;

    /// Whether it has a text by its own name for it; none where it can't be asked.
    fn has<'a>(&'a self, provider_ref: &'a str) -> Boxed<'a, Option<bool>>;

    /// Whether "not found" can be believed once the provider has had time to settle. Where a look
    /// is a repetition under the same key, every answer is final.
    fn settles(&self) -> bool;

    /// Reads a status callback, after its signature.
    fn read_status(&self, callback: &Callback<'_>) -> Result<StatusCallback, CallbackError>;

    /// Reads a patient's text, after its signature.
    fn read_inbound(&self, callback: &Callback<'_>) -> Result<InboundText, CallbackError>;
}

/// The provider of this process.
pub(crate) struct Provider {
    kind: ProviderKind,
    api: Box<dyn Api>,
    signer: callback::Signer,
    /// The only numbers that are texted; everybody without it.
    only: Option<HashSet<Phone>>,
    lease: Duration,
    /// A try takes no longer.
    total: Duration,
}

impl Provider {
    /// The provider as configured. What settings must be together was checked as they were read.
    ///
    /// # Errors
    /// One line that says what it can't be made of.
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let is_open = config.env.is_production() || config.provider_simulated;
        let only = (!is_open).then(|| config.allow_list.iter().copied().collect::<HashSet<_>>());
        let (total, lease) = (config.provider_total_ms, config.lease_ms);
        let bounds = client::Bounds {
            connect: config.provider_connect_ms,
            first_byte: config.provider_first_byte_ms,
            total,
            response_bytes: config.limit_usize(Limit::ProviderResponseBytes),
            idle_connections: config.limit_usize(Limit::DeliveriesInFlight),
        };
        let is_texting = only.as_ref().is_none_or(|only| !only.is_empty());
        let roots = match authorities::of_system() {
            Ok(roots) => roots,
            // Each text would wait for it until its appointment begins.
            Err(why) if config.provider_url.is_https() && is_texting => {
                return Err(format!("PUNCTUAL_PROVIDER_URL: {why}"));
            }
            Err(_not_needed) => RootCertStore::empty(),
        };
        let client = client::Client::new(&bounds, roots)?;
        let signer = callback::Signer::new(config);
        let api: Box<dyn Api> = match config.provider {
            ProviderKind::Twilio => Box::new(twilio::Twilio::new(config, client, signer.clone())?),
            ProviderKind::Webhook => {
                Box::new(webhook::Webhook::new(config, client, signer.clone())?)
            }
        };
        Ok(Self { kind: config.provider, api, signer, only, lease, total })
    }

    /// The name in callback addresses.
    pub(crate) const fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// Whether a number may be texted from here.
    pub(crate) fn allows(&self, phone: Phone) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&phone))
    }

    /// How long a claimed lane is ours.
    pub(crate) const fn lease(&self) -> Duration {
        self.lease
    }

    /// How long before the end of its lease a try must begin.
    pub(crate) fn needs(&self) -> Duration {
        self.total + LEASE_MARGIN
    }

    /// Tries once to hand a text over, within the deadlines.
    pub(crate) async fn send(&self, outgoing: &Outgoing) -> Answer {
        self.api.send(outgoing).await
    }

    /// Finds out whether a try whose answer was lost was accepted.
    pub(crate) async fn look_up(&self, lost: &Lost) -> Look {
        self.api.look_up(lost).await
    }

    /// A page of what the provider took in a stretch of time.
    pub(crate) async fn list(&self, span: &Span, next: Option<&str>) -> Listing {
        self.api.list(span, next).await
    }

    /// Whether the provider has a text by its own name for it; none where it can't be asked.
    pub(crate) async fn has(&self, provider_ref: &str) -> Option<bool> {
        self.api.has(provider_ref).await
    }

    /// Whether "not found" becomes final with time.
    pub(crate) fn settles(&self) -> bool {
        self.api.settles()
    }

    /// Whether the signature in a status callback's address is ours.
    pub(crate) fn knows(
        &self,
        practice_id: i64,
        message_id: i64,
        attempt_no: i16,
        signature: &str,
    ) -> bool {
        self.signer.verify(practice_id, message_id, attempt_no, signature)
    }

    /// Reads a status callback.
    ///
    /// # Errors
    /// The provider's signature is wrong, or a field.
    pub(crate) fn read_status(
        &self,
        callback: &Callback<'_>,
    ) -> Result<StatusCallback, CallbackError> {
        self.api.read_status(callback)
    }

    /// Reads a patient's text.
    ///
    /// # Errors
    /// The provider's signature is wrong, or a field.
    pub(crate) fn read_inbound(
        &self,
        callback: &Callback<'_>,
    ) -> Result<InboundText, CallbackError> {
        self.api.read_inbound(callback)
    }
}

/// What lies between the end of a try and the end of its lease at the least: its result waits for
/// a batch, and the database for its disk.
pub(crate) const LEASE_MARGIN: Duration = Duration::from_secs(5);
