//! The webhook API: a signed JSON request with an idempotency key, for providers of one's own.
//!
//! Here belongs what that API checks and answers; the decision about a text is in `ledger`. The
//! same key is answered with the same reference for ever, and leaves one line in the log.

use aws_lc_rs::hmac;
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::draw::digest;
use super::engine::Engine;
use super::hex;
use super::index::phone;
use super::ledger::{Decision, Refusal, Submission};
use super::log::ProviderKind;
use super::options::target;
use super::response::{self, Answer, Reaction, Reply};

/// As many characters as Twilio takes, so that both kinds have the same day.
const BODY_CHARACTERS_MAX: usize = 1_600;
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WebhookError {
    /// The signature is missing or wrong.
    Signature,
    /// Not POST.
    MethodNotAllowed,
    /// The body is larger than is read.
    TooLarge,
    /// The body did not come in time.
    TooSlow,
    /// It isn't the JSON that is expected, or a field of it is wrong.
    Invalid(String),
    /// The key was used for another text.
    KeyReused,
}

/// A request to send.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    to: String,
    from: String,
    body: String,
    idempotency_key: String,
    callback: Option<String>,
}

#[derive(Serialize)]
struct Receipt<'a> {
    id: &'a str,
    status: &'static str,
}

/// Decides about a request to send.
pub(crate) fn create(
    engine: &Engine,
    signature: Option<&str>,
    body: &[u8],
) -> Result<Reply, WebhookError> {
    verify(engine, signature, body).ok_or(WebhookError::Signature)?;
    let message: Message = serde_json::from_slice(body)
        .map_err(|error| WebhookError::Invalid(format!("the body: {error}")))?;
    message.check(engine).map_err(WebhookError::Invalid)?;
    let verdict = engine.decide(&Submission {
        provider: ProviderKind::Webhook,
        to: &message.to,
        from: Some(&message.from),
        body: &message.body,
        callback: message.callback.as_deref(),
        messaging_service_sid: None,
        idempotency_key: Some(&message.idempotency_key),
        form_digest: digest(body),
    });
    let reaction = match verdict.decision {
        Decision::Accepted(accepted) => receipt(StatusCode::CREATED, accepted.reference.as_str()),
        Decision::Repeated(entry) if entry.to == message.to && entry.body == message.body => {
            receipt(StatusCode::OK, &entry.sid)
        }
        Decision::Repeated(_) => return Err(WebhookError::KeyReused),
        Decision::Refused(refusal) => Reaction::Answer(refused(engine, refusal)),
        Decision::Reset => Reaction::Reset,
        Decision::Hang => Reaction::Hang,
    };
    Ok(Reply { latency: verdict.latency, lost: verdict.lost, reaction })
}

impl WebhookError {
    /// The answer that says so.
    pub(crate) fn answer(&self) -> Answer {
        let (status, code, message) = match self {
            Self::Signature => (
                StatusCode::UNAUTHORIZED,
                "bad_signature",
                "X-Punctual-Signature must be sha256= and the HMAC-SHA256 of the body, in hex",
            ),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "use POST")
            }
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "send at most 64 kB")
            }
            Self::TooSlow => {
                (StatusCode::REQUEST_TIMEOUT, "body_too_slow", "send the body within 10 s")
            }
            Self::Invalid(why) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", why.as_str()),
            Self::KeyReused => (
                StatusCode::CONFLICT,
                "idempotency_key_reused",
                "this key was accepted for another text; use one key a text",
            ),
        };
        problem(status, code, message)
    }
}

impl Message {
    fn check(&self, engine: &Engine) -> Result<(), String> {
        let Self { to, from, body, idempotency_key, callback } = self;
        for (name, number) in [("to", to), ("from", from)] {
            if phone(number).is_none() {
                return Err(format!("{name}: write E.164, such as +99912345678"));
            }
        }
        if body.is_empty() || body.chars().count() > BODY_CHARACTERS_MAX {
            return Err(format!("body: write 1 to {BODY_CHARACTERS_MAX} characters"));
        }
        if idempotency_key.is_empty() || idempotency_key.len() > IDEMPOTENCY_KEY_BYTES_MAX {
            return Err(format!("idempotency_key: write 1 to {IDEMPOTENCY_KEY_BYTES_MAX} bytes"));
        }
        match callback {
            Some(url) => target(url, engine.options.allow_remote)
                .map(|_| ())
                .map_err(|error| format!("callback: {url} {error}")),
            None => Ok(()),
        }
    }
}

fn verify(engine: &Engine, signature: Option<&str>, body: &[u8]) -> Option<()> {
    let tag = hex::bytes(signature?.strip_prefix("sha256=")?)?;
    hmac::verify(&engine.webhook_key, body, &tag).ok()
}

fn receipt(status: StatusCode, id: &str) -> Reaction {
    Reaction::Answer(response::json(status, &Receipt { id, status: "queued" }))
}

fn refused(engine: &Engine, refusal: Refusal) -> Answer {
    let seconds = engine.faults().retry_after_seconds.to_string();
    match refusal {
        Refusal::InternalError => {
            problem(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "try again")
        }
        Refusal::Unavailable => {
            let answer = problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "try later");
            response::with(answer, RETRY_AFTER, &seconds)
        }
        Refusal::TooManyRequests => {
            let answer = problem(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "try later");
            response::with(answer, RETRY_AFTER, &seconds)
        }
    }
}

fn problem(status: StatusCode, code: &str, message: &str) -> Answer {
    response::json(status, &json!({"error": {"code": code, "message": message}}))
}
