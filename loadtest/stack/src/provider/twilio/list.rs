//! Lists of messages: filters, pages and the paging fields.
//!
//! Here belongs `GET …/Messages.json`. Newest first, as Twilio has it. `DateSent` goes by the time
//! of acceptance, so that a text that is still queued is found as well.

use std::fmt::Write;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;

use super::error::TwilioError;
use super::resource::Resource;
use crate::provider::engine::Engine;
use crate::provider::form;
use crate::provider::index::{Message, sender};
use crate::provider::log::LogEntry;
use crate::provider::reference::Reference;
use crate::provider::response::{self, Answer};

/// Twilio's own bounds of a page.
const PAGE_SIZE: usize = 50;
const PAGE_SIZE_MAX: usize = 1_000;

/// What a client asks for.
#[derive(Debug)]
struct Query {
    to: Option<String>,
    from: Option<String>,
    /// Accepted at or after this, in milliseconds.
    since_ms: i64,
    /// Accepted before this.
    until_ms: i64,
    page: usize,
    page_size: usize,
    /// Only messages older than this one.
    before: Option<u32>,
    /// The filters as they came, for the links to other pages.
    filters: String,
}

/// A list, beside what it is one of.
#[derive(Serialize)]
pub(super) struct Page {
    pub(super) end: usize,
    pub(super) first_page_uri: String,
    pub(super) next_page_uri: Option<String>,
    pub(super) page: usize,
    pub(super) page_size: usize,
    pub(super) previous_page_uri: Option<String>,
    pub(super) start: usize,
    pub(super) uri: String,
}

#[derive(Serialize)]
struct Messages<'a> {
    messages: Vec<Resource<'a>>,
    #[serde(flatten)]
    page: Page,
}

/// Answers a list.
pub(crate) fn answer(engine: &Engine, query: &str) -> Result<Answer, TwilioError> {
    let query = Query::parse(query)?;
    let (found, more) = find(engine, &query)?;
    let now = Timestamp::now();
    let account = &engine.options.account_sid;
    let fates = &engine.options.fates;
    let messages: Vec<Resource<'_>> = found
        .iter()
        .map(|(message, entry)| Resource::looked_up(account, entry, fates, message, now))
        .collect();
    let start = query.page * query.page_size;
    let last = found.last().map(|(_, entry)| entry.sid.as_str());
    let next = last.filter(|_| more).map(|sid| query.uri(account, query.page + 1, Some(sid)));
    let page = Page {
        end: (start + messages.len()).saturating_sub(1),
        first_page_uri: query.uri(account, 0, None),
        next_page_uri: next,
        page: query.page,
        page_size: query.page_size,
        // Twilio's libraries only ever go forward; a link back would need a second order.
        previous_page_uri: None,
        start,
        uri: query.uri(account, query.page, None),
    };
    Ok(response::json(http::StatusCode::OK, &Messages { messages, page }))
}

/// The messages of the page, and whether there are more.
fn find(engine: &Engine, query: &Query) -> Result<(Vec<(Message, LogEntry)>, bool), TwilioError> {
    let ledger = engine.ledger();
    let index = ledger.index();
    let wanted_sender = query.from.as_deref().map(sender);
    let candidates = index
        .newest_first(query.to.as_deref())
        .filter(|number| query.before.is_none_or(|before| *number < before))
        .filter_map(|number| index.message(number))
        .take_while(|message| message.accepted_ms >= query.since_ms)
        .filter(|message| message.accepted_ms < query.until_ms && !message.is_deleted)
        .filter(|message| wanted_sender.is_none_or(|sender| message.sender == sender));
    let mut found = Vec::new();
    for message in candidates {
        if found.len() == query.page_size {
            return Ok((found, true));
        }
        let entry = ledger.read(message).map_err(|error| {
            tracing::error!(%error, "the log can't be read back");
            TwilioError::Internal
        })?;
        if query.from.is_none() || entry.from == query.from {
            found.push((*message, entry));
        }
    }
    Ok((found, false))
}

impl Query {
    fn parse(text: &str) -> Result<Self, TwilioError> {
        let mut query = Self {
            to: None,
            from: None,
            since_ms: i64::MIN,
            until_ms: i64::MAX,
            page: 0,
            page_size: PAGE_SIZE,
            before: None,
            filters: String::new(),
        };
        for (name, value) in form::pairs(text.as_bytes()) {
            let wrong = || TwilioError::Parameter(name.to_string());
            match name.as_ref() {
                "To" => query.to = Some(value.to_string()),
                "From" => query.from = Some(value.to_string()),
                "DateSent" => {
                    let (from, until) = day(&value).ok_or_else(wrong)?;
                    query.narrow(from, until);
                }
                "DateSent>" => {
                    query.narrow(instant(&value, Side::Start).ok_or_else(wrong)?, i64::MAX);
                }
                "DateSent<" => {
                    query.narrow(i64::MIN, instant(&value, Side::End).ok_or_else(wrong)?);
                }
                "PageSize" => {
                    let size: usize = value.parse().map_err(|_| wrong())?;
                    query.page_size = size.clamp(1, PAGE_SIZE_MAX);
                }
                "Page" => query.page = value.parse().map_err(|_| wrong())?,
                "PageToken" => {
                    let sid = value.strip_prefix("PA").ok_or_else(wrong)?;
                    query.before = Some(Reference::number(sid).ok_or_else(wrong)?);
                }
                _ => continue,
            }
            if !name.starts_with("Page") {
                form::push(&mut query.filters, &name, &value);
            }
        }
        Ok(query)
    }

    fn narrow(&mut self, since_ms: i64, until_ms: i64) {
        self.since_ms = self.since_ms.max(since_ms);
        self.until_ms = self.until_ms.min(until_ms);
    }

    fn uri(&self, account: &str, page: usize, after: Option<&str>) -> String {
        let mut uri = format!("/2010-04-01/Accounts/{account}/Messages.json?");
        if !self.filters.is_empty() {
            uri.push_str(&self.filters);
            uri.push('&');
        }
        let size = self.page_size;
        write!(uri, "PageSize={size}&Page={page}").expect("a String takes whatever is written");
        if let Some(sid) = after {
            uri.push_str("&PageToken=PA");
            uri.push_str(sid);
        }
        uri
    }
}

/// Which end of a day a date stands for in an inequality.
#[derive(Clone, Copy)]
enum Side {
    Start,
    End,
}

/// A day, or the day of an instant, in milliseconds: its start and its end.
fn day(text: &str) -> Option<(i64, i64)> {
    let date: Date = match text.parse::<Timestamp>() {
        Ok(instant) => instant.to_zoned(TimeZone::UTC).date(),
        Err(_) => text.parse().ok()?,
    };
    Some((midnight(date)?, midnight(date.checked_add(1.day()).ok()?)?))
}

/// An instant, or one end of a day, in milliseconds.
fn instant(text: &str, side: Side) -> Option<i64> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(match side {
            Side::Start => instant.as_millisecond(),
            Side::End => instant.as_millisecond() + 1,
        });
    }
    let (start, end) = day(text)?;
    Some(match side {
        Side::Start => start,
        Side::End => end,
    })
}

fn midnight(date: Date) -> Option<i64> {
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    fn span(query: &str) -> (i64, i64) {
        let query = Query::parse(query).unwrap();
        (query.since_ms, query.until_ms)
    }

    #[test]
    fn dates_and_instants() {
        assert_eq!(span("DateSent=1970-01-02"), (DAY_MS, 2 * DAY_MS));
        assert_eq!(span("DateSent=1970-01-02T03:04:05Z"), (DAY_MS, 2 * DAY_MS));
        assert_eq!(span("DateSent>=1970-01-02"), (DAY_MS, i64::MAX));
        assert_eq!(span("DateSent%3E=1970-01-01T00:00:01Z"), (1_000, i64::MAX));
        assert_eq!(span("DateSent<=1970-01-02"), (i64::MIN, 2 * DAY_MS));
        assert_eq!(span("DateSent>=1970-01-02&DateSent<=1970-01-02"), (DAY_MS, 2 * DAY_MS));
    }

    #[test]
    fn wrong_parameters_are_named() {
        for (query, name) in [
            ("DateSent=yesterday", "DateSent"),
            ("PageSize=many", "PageSize"),
            ("PageToken=1", "PageToken"),
        ] {
            assert_eq!(Query::parse(query).unwrap_err(), TwilioError::Parameter(name.into()));
        }
    }
}
