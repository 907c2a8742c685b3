//! `GET /healthz`: that this is answered says that the process lives; a reason to restart it is
//! that it isn't. Whether it can work is `/readyz`.

use std::sync::Arc;

use crate::app::App;
use crate::http::{Problem, Request, Response};

/// Says that the process lives.
pub(crate) async fn handle(_: &Arc<App>, _: Request) -> Result<Response, Problem> {
    Ok(answer())
}

/// The answer, which needs nothing.
pub(crate) fn answer() -> Response {
    Response::json(200, &serde_json::json!({ "status": "alive" }))
}
