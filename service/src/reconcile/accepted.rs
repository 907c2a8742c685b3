//! The third leg: what the provider lists as taken against what is known here as sent. It finds
//! what neither promises nor counts show: a text that left twice, or by another hand, and one that
//! is counted as sent and that the provider has never had.
//!
//! Belongs here: comparing. Never here: how a provider is asked (`provider`), a lost answer of one
//! try (`stages::resolve`), what stays of a comparison (`noted`).

mod noted;
mod tries;

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::NAMED_MAX;
use crate::clock::Clock;
use crate::db::{Db, DbError};
use crate::phone::Phone;
use crate::practice::Senders;
use crate::provider::{Listed, Listing, Provider, Span};
use tries::{SLACK, Tries};

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
    /// Of those, not known here, each like a try of its own whose answer is lost: that will be
    /// found out.
    pub(crate) doubtful: u64,
    /// Of those, not known here.
    pub(crate) surplus: u64,
    /// Known here as sent, and neither on its list nor known to it by name.
    pub(crate) missing: u64,
    /// Known here as sent, and known to it by name, but not on its list yet: they wait there.
    pub(crate) waiting: u64,
    /// Tries whose answer is lost and not found out yet.
    pub(crate) open: u64,
    /// The surplus by name, at most a thousand.
    pub(crate) surplus_texts: Vec<Surplus>,
    /// What is missing by name, at most a thousand.
    pub(crate) missing_texts: Vec<Missing>,
}

/// A text that the provider lists and that is not known here.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Surplus {
    /// From whose number.
    pub(crate) practice_id: i64,
    pub(crate) provider_ref: String,
    /// In real time.
    #[schemars(with = "String")]
    pub(crate) accepted_at: Timestamp,
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

/// Whom to ask.
pub(crate) struct Sides<'a> {
    pub(crate) db: &'a Db,
    pub(crate) clock: &'a Arc<Clock>,
    pub(crate) senders: &'a Senders,
    pub(crate) provider: &'a Provider,
    pub(crate) shard_count: i16,
}

/// Compares the lists of a stretch of real time and notes where they differ; `each` hears how many
/// texts have been listed.
pub(crate) async fn compare(
    sides: &Sides<'_>,
    span: Span,
    mut each: impl FnMut(u64),
) -> Result<Comparison, Error> {
    let mut tries = tries::read(sides, span).await?;
    let mut found = Comparison {
        since: span.since,
        until: span.until,
        listed: 0,
        known: 0,
        doubtful: 0,
        surplus: 0,
        missing: 0,
        waiting: 0,
        open: tries.open,
        surplus_texts: Vec::new(),
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
            found.note(&mut tries, text, sides.senders).await?;
        }
        each(found.listed);
        next = after;
        if next.is_none() {
            break;
        }
    }
    let (doubtful, surplus) = tries.doubted();
    found.doubtful = doubtful;
    surplus.into_iter().for_each(|text| found.is_surplus(text));
    found.misses(&mut tries, sides.provider).await?;
    noted::note(sides, &found, &tries).await?;
    noted::until(sides, span.until).await?;
    Ok(found)
}

impl Comparison {
    /// Whether all that the provider took is accounted for, and the other way round.
    pub(crate) const fn holds(&self) -> bool {
        self.missing == 0 && self.surplus == 0
    }

    async fn note(
        &mut self,
        tries: &mut Tries,
        text: Listed,
        senders: &Senders,
    ) -> Result<(), DbError> {
        let Listed { provider_ref, from, to, accepted_at } = text;
        if let Some(known) = tries.sent.get_mut(&provider_ref) {
            // A list that grows while it is read shows some texts twice.
            if !std::mem::replace(&mut known.is_listed, true) {
                self.listed += 1;
                self.known += 1;
            }
            return Ok(());
        }
        if !tries.strange.insert(provider_ref.clone()) {
            return Ok(());
        }
        // The account may have other uses.
        let Some(from) = from else { return Ok(()) };
        let Some(practice_id) = senders.find(from.as_i64()).await? else { return Ok(()) };
        self.listed += 1;
        let text = Surplus { practice_id, provider_ref, accepted_at };
        if let Some(text) = tries.doubt(to.map(Phone::as_i64), text) {
            self.is_surplus(text);
        }
        Ok(())
    }

    fn is_surplus(&mut self, text: Surplus) {
        self.surplus += 1;
        if self.surplus_texts.len() < NAMED_MAX as usize {
            self.surplus_texts.push(text);
        }
    }

    /// Notes what the list lacks. Tries at the edges may be on the list of the stretch beside it,
    /// and a text that waits at the provider is on none before it leaves, so each is asked for by
    /// its name, as many as can be named.
    async fn misses(&mut self, tries: &mut Tries, provider: &Provider) -> Result<(), Error> {
        let sure = self.since + SLACK..self.until - SLACK;
        let unlisted = tries.sent.iter_mut();
        let unlisted = unlisted.filter(|(_, s)| !s.is_listed && sure.contains(&s.started_at));
        for (provider_ref, sent) in unlisted {
            if self.missing + self.waiting < NAMED_MAX as u64 {
                let Some(has) = provider.has(provider_ref).await else {
                    let why = "it didn't say whether it has a text that its list lacks";
                    return Err(Error::Provider(why.into()));
                };
                if has {
                    self.waiting += 1;
                    sent.is_listed = true;
                    continue;
                }
            }
            self.missing += 1;
            if self.missing_texts.len() < NAMED_MAX as usize {
                self.missing_texts.push(Missing {
                    practice_id: sent.practice_id,
                    message_id: sent.message_id,
                    provider_ref: provider_ref.clone(),
                });
            }
        }
        self.missing_texts.sort_by_key(|text| (text.practice_id, text.message_id));
        Ok(())
    }

    /// For the terminal.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for Surplus { practice_id, provider_ref, accepted_at } in &self.surplus_texts {
            text += &format!(
                "not known here: practice {practice_id}, taken {accepted_at} ({provider_ref})\n"
            );
        }
        for Missing { practice_id, message_id, provider_ref } in &self.missing_texts {
            text += &format!(
                "not known to the provider: practice {practice_id} message {message_id} \
                 ({provider_ref})\n"
            );
        }
        let Self { since, until, listed, known, doubtful, surplus, missing, waiting, open, .. } =
            self;
        text += &format!(
            "provider: {listed} texts from {since} to {until}, {known} of them known here, \
             {surplus} not, {doubtful} in doubt; {missing} of ours that it has never had, \
             {waiting} that still wait there; {open} answers lost\n"
        );
        text
    }
}
