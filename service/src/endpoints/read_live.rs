//! `GET /`: the live page, for a browser. It asks for nothing but `/live/events`.

use std::sync::Arc;

use crate::app::App;
use crate::http::{Problem, Request, Response};
use crate::live::page;

/// Gives the page.
pub(crate) async fn handle(_: &Arc<App>, _: Request) -> Result<Response, Problem> {
    Ok(answer())
}

/// The page, which needs nothing.
pub(crate) fn answer() -> Response {
    Response::of(200, "text/html; charset=utf-8", page::html())
        .with_header("content-security-policy", page::policy())
        .with_header("x-content-type-options", "nosniff")
        .with_header("referrer-policy", "no-referrer")
}
