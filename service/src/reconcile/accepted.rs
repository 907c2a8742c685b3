//! The third leg: what the provider lists as taken against what is known here as sent. It finds
//! what neither promises nor counts show: a text that left twice, or by another hand, and one that
//! is counted as sent and that the provider has never had.
//!
//! Never here: how a provider is asked (`provider`), a lost answer of one try (`stages::resolve`).

use std::collections::HashMap;
use std::sync::Arc;

use contract::Read;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use schemars::JsonSchema;
use serde::Serialize;

use super::NAMED_MAX;
use crate::clock::Clock;
use crate::db::router::Class;
use crate::db::{Db, DbError};
use crate::practice::Senders;
use crate::provider::{Listed, Listing, Provider, Span};

/// A try may have been accepted so long after it began, and the provider's clock differ so much.
const SLACK: SignedDuration = SignedDuration::from_mins(10);
/// A text leaves on its local day, in any zone, or in the days after it that its lane was blocked.
const DAYS: i64 = 3;

/// What the two lists have in common, and what not.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Comparison {
    /// Texts that the provider took from then on, in real time.
    #[schemars(with = "String")]
    pub(crate) since: Timestamp,
    /// And before then.
    #[schemars(with = "String")]
    pub(crate) until: Timestamp,
    /// On its list, from numbers of ours.
    pub(crate) listed: u64,
    /// Of those, known here as sent.
    pub(crate) known: u64,
    /// Of those, not known here.
    pub(crate) surplus: u64,
    /// Known here as sent, and not on its list.
    pub(crate) missing: u64,
    /// Tries whose answer is lost and not found out yet: each may be one of the surplus.
    pub(crate) open: u64,
    /// The surplus by the provider's names, at most a thousand.
    pub(crate) surplus_refs: Vec<String>,
    /// What is missing by name, at most a thousand.
    pub(crate) missing_texts: Vec<Missing>,
}

/// A text that is counted as sent and that the provider doesn't list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Missing {
    pub(crate) practice_id: i64,
    pub(crate) message_id: i64,
    pub(crate) provider_ref: String,
}

/// Why there is no comparison.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The provider keeps no list.
    #[error("the {0} provider keeps no list of what it took: leave out --provider")]
    NoList(&'static str),
    /// The provider didn't answer.
    #[error("the provider can't be compared with: {0}")]
    Provider(String),
}

/// A try of ours.
struct Ours {
    practice_id: i64,
    message_id: i64,
    started_at: Timestamp,
    is_listed: bool,
}

/// Whom to ask.
pub(crate) struct Sides<'a> {
    pub(crate) db: &'a Db,
    pub(crate) clock: &'a Arc<Clock>,
    pub(crate) senders: &'a Senders,
    pub(crate) provider: &'a Provider,
    pub(crate) shard_count: i16,
}

/// Compares the lists of a stretch of real time; `each` hears how many texts have been listed.
pub(crate) async fn compare(
    sides: &Sides<'_>,
    span: Span,
    mut each: impl FnMut(u64),
) -> Result<Comparison, Error> {
    let (mut ours, open) = ours(sides, span).await?;
    let mut found = Comparison {
        since: span.since,
        until: span.until,
        listed: 0,
        known: 0,
        surplus: 0,
        missing: 0,
        open,
        surplus_refs: Vec::new(),
        missing_texts: Vec::new(),
    };
    let mut next = None;
    loop {
        let (texts, after) = match sides.provider.list(&span, next.as_deref()).await {
            Listing::Page { texts, next } => (texts, next),
            Listing::None => return Err(Error::NoList(sides.provider.name())),
            Listing::Failed(why) => return Err(Error::Provider(why)),
        };
        for text in texts {
            found.note(&mut ours, text, sides.senders).await?;
        }
        each(found.listed);
        next = after;
        if next.is_none() {
            break;
        }
    }
    // Those at the edges may be on the list of the stretch beside it.
    let sure = span.since + SLACK..span.until - SLACK;
    for (provider_ref, Ours { practice_id, message_id, started_at, is_listed }) in ours {
        if !is_listed && sure.contains(&started_at) {
            found.missing += 1;
            if found.missing_texts.len() < NAMED_MAX as usize {
                found.missing_texts.push(Missing { practice_id, message_id, provider_ref });
            }
        }
    }
    found.missing_texts.sort_by_key(|text| (text.practice_id, text.message_id));
    Ok(found)
}

/// Tries that began around the span and were accepted, by the provider's name for them; and how
/// many answers of that time are lost.
async fn ours(sides: &Sides<'_>, span: Span) -> Result<(HashMap<String, Ours>, u64), DbError> {
    let day = |real: Timestamp| -> Date {
        sides.clock.pace().domain_at(real).to_zoned(TimeZone::UTC).date()
    };
    let (since, until) = (span.since - SLACK, span.until + SLACK);
    let first = day(since).saturating_sub(DAYS.days());
    let last = day(until).saturating_add(1.day());
    let (mut ours, mut open) = (HashMap::new(), 0);
    for shard in 0..sides.shard_count {
        let mut reader = sides.db.reader(Class::Report);
        for row in
            reader.rows(Read::ReconcileSent, &[&shard, &first, &last, &since, &until]).await?
        {
            let provider_ref: Option<String> = row.get("provider_ref");
            if row.get::<_, bool>("is_open") {
                open += 1;
            } else if let Some(provider_ref) = provider_ref {
                let text = Ours {
                    practice_id: row.get("practice_id"),
                    message_id: row.get("message_id"),
                    started_at: row.get("started_at"),
                    is_listed: false,
                };
                ours.insert(provider_ref, text);
            }
        }
    }
    Ok((ours, open))
}

impl Comparison {
    /// Whether all that the provider took is accounted for, and the other way round.
    pub(crate) const fn holds(&self) -> bool {
        self.missing == 0 && self.surplus <= self.open
    }

    async fn note(
        &mut self,
        ours: &mut HashMap<String, Ours>,
        text: Listed,
        senders: &Senders,
    ) -> Result<(), DbError> {
        if let Some(known) = ours.get_mut(&text.provider_ref) {
            self.listed += 1;
            self.known += 1;
            known.is_listed = true;
            return Ok(());
        }
        // The account may have other uses.
        let Some(from) = text.from else { return Ok(()) };
        if senders.find(from.as_i64()).await?.is_some() {
            self.listed += 1;
            self.surplus += 1;
            if self.surplus_refs.len() < NAMED_MAX as usize {
                self.surplus_refs.push(text.provider_ref);
            }
        }
        Ok(())
    }

    /// For the terminal.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for provider_ref in &self.surplus_refs {
            text += &format!("not known here: {provider_ref}\n");
        }
        for Missing { practice_id, message_id, provider_ref } in &self.missing_texts {
            text += &format!(
                "not known to the provider: practice {practice_id} message {message_id} \
                 ({provider_ref})\n"
            );
        }
        let Self { since, until, listed, known, surplus, missing, open, .. } = self;
        text += &format!(
            "provider: {listed} texts from {since} to {until}, {known} of them known here, \
             {surplus} not; {missing} of ours that it doesn't list; {open} answers lost\n"
        );
        text
    }
}
