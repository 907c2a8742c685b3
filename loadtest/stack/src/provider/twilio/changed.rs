//! What a client changes of a text afterwards: takes its words out of it, cancels or deletes it.
//!
//! Here belongs the answer to that. Never the log: what was accepted stays there with its words, as
//! it is the oracle; a change is in memory alone and over with the simulator.

use http::{Response, StatusCode};

use super::error::TwilioError;
use super::{Found, find};
use crate::provider::engine::Engine;
use crate::provider::form;
use crate::provider::response::{self, Answer};

/// Deletes a text that has come to its end.
pub(super) fn delete(engine: &Engine, sid: &str, path: &str) -> Result<Answer, TwilioError> {
    let found = complete(engine, sid, path)?;
    engine.ledger().index_mut().delete(found.number);
    let mut answer = Response::default();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    Ok(answer)
}

/// Changes a text: an empty `Body` takes its words out, `Status` cancels what was to be sent later.
pub(super) fn update(
    engine: &Engine,
    sid: &str,
    path: &str,
    form: &[u8],
) -> Result<Answer, TwilioError> {
    let (mut body, mut status) = (None, None);
    for (name, value) in form::pairs(form) {
        match name.as_ref() {
            "Body" => body = Some(value),
            "Status" => status = Some(value),
            _ => {}
        }
    }
    match status.as_deref() {
        None => {}
        Some("canceled") => {
            find(engine, sid, path)?;
            return Err(TwilioError::NotScheduled); // nothing here ever is
        }
        Some(_) => return Err(TwilioError::Parameter("Status".into())),
    }
    let found = match body.as_deref().map(str::is_empty) {
        None => find(engine, sid, path)?,
        Some(true) => {
            let found = complete(engine, sid, path)?;
            engine.ledger().index_mut().redact(found.number);
            find(engine, sid, path)?
        }
        Some(false) => return Err(TwilioError::Parameter("Body".into())),
    };
    Ok(response::json(StatusCode::OK, &found.resource(engine)))
}

/// A text that nothing more will become of.
fn complete(engine: &Engine, sid: &str, path: &str) -> Result<Found, TwilioError> {
    let found = find(engine, sid, path)?;
    match found.resource(engine).status() {
        "accepted" | "queued" | "sent" => Err(TwilioError::NotComplete),
        _ => Ok(found),
    }
}
