//! `GET /v1/practices/{practice_id}`

use std::sync::Arc;

use super::shapes::{PracticeAnswer, no_practice};
use crate::app::App;
use crate::db::router::carried;
use crate::http::{Problem, Request, Response};

/// Reads a practice.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let practice_id = request.path.i64("practice_id")?;
    // What is remembered may be older than what the caller has written through another process.
    let newest = if carried::shows_token() {
        app.practices.read(practice_id).await?
    } else {
        app.practices.get(practice_id).await?
    };
    let practice = newest.ok_or_else(no_practice)?;
    Ok(Response::json(200, &PracticeAnswer::of(&practice)))
}
