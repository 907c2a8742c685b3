//! `POST /v1/callbacks/{provider}/reply`

use std::sync::Arc;

use super::receive_status::{callback, check_provider, refused};
use crate::app::App;
use crate::http::{Code, Problem, Request, Response};
use crate::receipts::{Keyword, News};

/// Characters of a reply that are kept: ten segments.
const BODY_CHARS_MAX: usize = 1_600;

/// An empty TwiML document: nothing is answered to the patient.
const NO_ANSWER: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>";

/// Takes in a patient's text.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    check_provider(app, &request)?;
    let text = app.provider.read_inbound(&callback(&request)).map_err(refused)?;
    if text.provider_ref.is_empty() || text.provider_ref.len() > 64 {
        return Err(Problem::new(Code::Invalid, "The text's id must have 1 to 64 characters."));
    }
    let practice = app.senders.find(text.to.as_i64()).await?;
    let Some(practice_id) = practice else {
        return Err(Problem::new(Code::NotFound, "No practice sends from the number texted."));
    };
    let news = News::Reply {
        practice_id,
        provider_ref: text.provider_ref,
        phone: text.from.as_i64(),
        keyword: Keyword::of(&text.body),
        // PostgreSQL's text has no NUL.
        body: text.body.chars().filter(|c| *c != '\0').take(BODY_CHARS_MAX).collect(),
    };
    app.receipts.record(app.practices.shard(practice_id), news, request.received_at).await?;
    Ok(Response::of(200, "application/xml", NO_ANSWER))
}
