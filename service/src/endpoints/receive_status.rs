//! `POST /v1/callbacks/{provider}/status/{practice_id}/{message_id}/{attempt_no}/{signature}`

use std::sync::Arc;

use crate::app::App;
use crate::http::{Code, Problem, Request, Response};
use crate::provider::{Callback, CallbackError};
use crate::receipts::News;

/// Takes in a receipt. One that says nothing new is answered without a look at the database.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    check_provider(app, &request)?;
    let practice_id = request.path.i64("practice_id")?;
    let message_id = request.path.i64("message_id")?;
    let attempt_no = i16::try_from(request.path.i32("attempt_no")?).map_err(|_| bad_address())?;
    let signature = request.path.str("signature");
    if !app.provider.knows(practice_id, message_id, attempt_no, signature) {
        return Err(bad_address());
    }
    let status = app.provider.read_status(&callback(&request)).map_err(refused)?;
    let Some(receipt) = status.receipt else { return Ok(Response::empty(204)) };
    let news = News::Receipt {
        practice_id,
        message_id,
        provider_ref: status.provider_ref,
        receipt,
        error_code: status.error_code,
    };
    app.receipts.record(app.practices.shard(practice_id), news, request.received_at).await?;
    Ok(Response::empty(204))
}

fn bad_address() -> Problem {
    Problem::new(Code::BadSignature, "The address is not one that was given to a provider.")
}

/// The request as the provider's client reads it.
pub(super) fn callback(request: &Request) -> Callback<'_> {
    Callback {
        path_and_query: &request.uri_path_and_query,
        headers: &request.headers,
        body: &request.body,
    }
}

/// Callbacks of another provider than the configured one are nobody's.
pub(super) fn check_provider(app: &App, request: &Request) -> Result<(), Problem> {
    if request.path.str("provider") == app.provider.name() {
        return Ok(());
    }
    Err(Problem::new(Code::NotFound, "This is not the provider that is configured here."))
}

/// What a provider is told whose callback isn't taken.
pub(super) fn refused(error: CallbackError) -> Problem {
    match error {
        CallbackError::Signature => Problem::new(Code::BadSignature, error.to_string()),
        CallbackError::Malformed(what) => Problem::new(Code::Invalid, what),
    }
}
