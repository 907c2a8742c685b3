//! `GET /v1/openapi.json`

use std::sync::Arc;

use crate::app::App;
use crate::http::{Problem, Request, Response, openapi};

/// Answers the description of the public interface.
pub(crate) async fn handle(_: &Arc<App>, _: Request) -> Result<Response, Problem> {
    Ok(answer())
}

/// The description, made once.
pub(crate) fn answer() -> Response {
    Response::of(200, "application/json", openapi::served())
}
