//! Twilio's Messages API, as far as texts go: sending, looking up, redacting and deleting them.
//!
//! Here belongs what that API checks and answers; the decision about a text is in `ledger`. A
//! client library that does no more must not be able to tell the difference: a deviation from the
//! documented form is a bug here and never a simplification. What is not there:
//!
//! * media: `MediaUrl` is left alone, without `Body` too (21602), and every list of media is empty;
//! * texts for later (`SendAt`): they leave at once, so that none can be cancelled (30409);
//! * feedback, content templates, and other resources than messages: left alone, or 404;
//! * what recipients send: it is called back, and is no resource;
//! * paging backwards, and `DateSent` of what waits: it is found by when it was accepted.
//!
//! Redactions and deletions last as long as the simulator runs, and callbacks of such a text go on.
//! Twilio's documents don't say which HTTP status refuses those of a text that is under way, or a
//! cancellation that comes too late: here it is 409.

mod changed;
pub(crate) mod error;
mod list;
mod media;
mod resource;

use std::borrow::Cow;

use http::{Method, StatusCode};
use jiff::Timestamp;

use self::error::{FieldError, TwilioError};
use self::resource::{Fresh, Resource};
use super::draw::digest;
use super::engine::Engine;
use super::form;
use super::index::{Message, phone};
use super::ledger::{Decision, Refusal, Submission};
use super::log::{LogEntry, ProviderKind};
use super::options::{Options, is_sid, target};
use super::reference::Reference;
use super::response::{self, Answer, Reaction, Reply};

/// Twilio takes no more characters than this in one text.
const BODY_CHARACTERS_MAX: usize = 1_600;

/// The fields of a request to send that the simulator knows; others are left alone.
#[derive(Debug, Default)]
struct Fields<'a> {
    to: Cow<'a, str>,
    from: Cow<'a, str>,
    messaging_service_sid: Cow<'a, str>,
    body: Cow<'a, str>,
    status_callback: Cow<'a, str>,
}

/// What a path under the account leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resources<'a> {
    Messages,
    Message(&'a str),
    /// What was sent with a text: nothing, here.
    Media(&'a str),
}

/// The account and the resource that a path names.
pub(crate) fn route(path: &str) -> Option<(&str, Resources<'_>)> {
    let (account, rest) = path.strip_prefix("/2010-04-01/Accounts/")?.split_once('/')?;
    let resource = match rest.strip_suffix(".json")? {
        "Messages" => Resources::Messages,
        other => {
            let below = other.strip_prefix("Messages/")?;
            match below.strip_suffix("/Media") {
                Some(sid) => Resources::Media(sid),
                None => Resources::Message(below),
            }
        }
    };
    Some((account, resource))
}

/// Answers what has no body: a look-up, or a deletion. Of the answer to HEAD the server leaves the
/// body out.
pub(crate) fn look_up(
    engine: &Engine,
    method: &Method,
    resource: Resources<'_>,
    path: &str,
    query: &str,
) -> Result<Answer, TwilioError> {
    let answer = match (resource, method) {
        (Resources::Messages, &Method::GET | &Method::HEAD) => list::answer(engine, query),
        (Resources::Message(sid), &Method::GET | &Method::HEAD) => {
            let found = find(engine, sid, path)?;
            Ok(response::json(StatusCode::OK, &found.resource(engine)))
        }
        (Resources::Media(sid), &Method::GET | &Method::HEAD) => {
            find(engine, sid, path).map(|_| media::none(path))
        }
        (Resources::Message(sid), &Method::DELETE) => return changed::delete(engine, sid, path),
        (Resources::Messages | Resources::Message(_) | Resources::Media(_), _) => {
            Err(TwilioError::MethodNotAllowed)
        }
    }?;
    engine.count(|state| state.looked_up += 1);
    Ok(answer)
}

/// Answers a form: a text to send, or a change of one.
pub(crate) fn post(
    engine: &Engine,
    resource: Resources<'_>,
    path: &str,
    form: &[u8],
) -> Result<Reply, TwilioError> {
    match resource {
        Resources::Messages => create(engine, form),
        Resources::Message(sid) => changed::update(engine, sid, path, form).map(Reply::from),
        Resources::Media(_) => Err(TwilioError::MethodNotAllowed),
    }
}

/// Decides about a request to send.
fn create(engine: &Engine, form: &[u8]) -> Result<Reply, TwilioError> {
    let fields = Fields::parse(form);
    let submission = fields.check(engine, form).map_err(TwilioError::Field)?;
    let verdict = engine.decide(&submission);
    let reaction = match verdict.decision {
        Decision::Accepted(accepted) => {
            let resource = Resource::fresh(
                &engine.options.account_sid,
                Fresh {
                    sid: accepted.reference.as_str(),
                    to: submission.to,
                    from: submission.from,
                    messaging_service_sid: submission.messaging_service_sid,
                    body: submission.body,
                    accepted: accepted.moment.real,
                },
            );
            Reaction::Answer(response::json(StatusCode::CREATED, &resource))
        }
        Decision::Refused(refusal) => Reaction::Answer(refused(engine, refusal).answer()),
        Decision::Repeated(_) => unreachable!("Twilio's API has no idempotency keys"),
        Decision::Reset => Reaction::Reset,
        Decision::Hang => Reaction::Hang,
    };
    Ok(Reply { latency: verdict.latency, lost: verdict.lost, reaction })
}

/// A text that a path names.
struct Found {
    number: u32,
    message: Message,
    entry: LogEntry,
}

impl Found {
    fn resource<'a>(&'a self, engine: &'a Engine) -> Resource<'a> {
        let Options { account_sid, fates, .. } = &engine.options;
        Resource::looked_up(account_sid, &self.entry, fates, &self.message, Timestamp::now())
    }
}

fn find(engine: &Engine, sid: &str, path: &str) -> Result<Found, TwilioError> {
    let not_found = || TwilioError::NotFound(path.to_owned());
    let number = Reference::number(sid).ok_or_else(not_found)?;
    let ledger = engine.ledger();
    let message = *ledger.index().message(number).ok_or_else(not_found)?;
    let entry = ledger.read(&message).map_err(|error| {
        tracing::error!(%error, "the log can't be read back");
        TwilioError::Internal
    })?;
    if entry.sid != sid || message.is_deleted {
        return Err(not_found());
    }
    Ok(Found { number, message, entry })
}

fn refused(engine: &Engine, refusal: Refusal) -> TwilioError {
    let seconds = engine.faults().retry_after_seconds;
    match refusal {
        Refusal::InternalError => TwilioError::Internal,
        Refusal::Unavailable => TwilioError::Unavailable(seconds),
        Refusal::TooManyRequests => TwilioError::TooManyRequests(seconds),
    }
}

impl<'a> Fields<'a> {
    fn parse(form: &'a [u8]) -> Self {
        let mut fields = Self::default();
        for (name, value) in form::pairs(form) {
            let field = match name.as_ref() {
                "To" => &mut fields.to,
                "From" => &mut fields.from,
                "MessagingServiceSid" => &mut fields.messaging_service_sid,
                "Body" => &mut fields.body,
                "StatusCallback" => &mut fields.status_callback,
                _ => continue,
            };
            *field = value;
        }
        fields
    }

    fn check(&self, engine: &Engine, form: &[u8]) -> Result<Submission<'_>, FieldError> {
        let Self { to, from, messaging_service_sid, body, status_callback } = self;
        if to.is_empty() {
            return Err(FieldError::ToMissing);
        }
        if phone(to).is_none() {
            return Err(FieldError::ToInvalid(to.to_string()));
        }
        check_sender(from, messaging_service_sid)?;
        if body.is_empty() {
            return Err(FieldError::BodyMissing);
        }
        if body.len() > BODY_CHARACTERS_MAX && body.chars().count() > BODY_CHARACTERS_MAX {
            return Err(FieldError::BodyTooLong);
        }
        if !status_callback.is_empty() {
            target(status_callback, engine.options.allow_remote).map_err(|error| {
                FieldError::CallbackInvalid(format!("{status_callback} {error}"))
            })?;
        }
        Ok(Submission {
            provider: ProviderKind::Twilio,
            to,
            from: present(from),
            body,
            callback: present(status_callback),
            messaging_service_sid: present(messaging_service_sid),
            idempotency_key: None,
            form_digest: digest(form),
        })
    }
}

fn present(field: &str) -> Option<&str> {
    (!field.is_empty()).then_some(field)
}

/// A sender is a phone number, a short code or a name; or a messaging service picks one.
fn check_sender(from: &str, service: &str) -> Result<(), FieldError> {
    if !service.is_empty() && !is_sid(service, "MG") {
        return Err(FieldError::MessagingServiceInvalid(service.to_owned()));
    }
    if from.is_empty() {
        return if service.is_empty() { Err(FieldError::FromMissing) } else { Ok(()) };
    }
    let short_code = (3..=8).contains(&from.len()) && from.bytes().all(|it| it.is_ascii_digit());
    let name = from.len() <= 11
        && from.bytes().all(|it| it.is_ascii_alphanumeric() || it == b' ')
        && from.bytes().any(|it| it.is_ascii_alphabetic());
    if phone(from).is_some() || short_code || name {
        Ok(())
    } else {
        Err(FieldError::FromInvalid(from.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes() {
        let messages = Some(("AC1", Resources::Messages));
        assert_eq!(route("/2010-04-01/Accounts/AC1/Messages.json"), messages);
        let message = Some(("AC1", Resources::Message("SM1")));
        assert_eq!(route("/2010-04-01/Accounts/AC1/Messages/SM1.json"), message);
        let media = Some(("AC1", Resources::Media("SM1")));
        assert_eq!(route("/2010-04-01/Accounts/AC1/Messages/SM1/Media.json"), media);
        assert_eq!(route("/2010-04-01/Accounts/AC1/Calls.json"), None);
        assert_eq!(route("/2010-04-01/Accounts/AC1/Messages"), None);
        assert_eq!(route("/"), None);
    }

    #[test]
    fn senders() {
        let service = "MG0123456789abcdef0123456789abcdef";
        for (from, service) in
            [("+99912345678", ""), ("12345", ""), ("Clinic 4", ""), ("", service)]
        {
            assert_eq!(check_sender(from, service), Ok(()), "{from:?} {service:?}");
        }
        assert_eq!(check_sender("", ""), Err(FieldError::FromMissing));
        assert!(matches!(check_sender("+1", ""), Err(FieldError::FromInvalid(_))));
        assert!(matches!(check_sender("a-name", ""), Err(FieldError::FromInvalid(_))));
        assert!(matches!(check_sender("", "MG1"), Err(FieldError::MessagingServiceInvalid(_))));
    }
}
