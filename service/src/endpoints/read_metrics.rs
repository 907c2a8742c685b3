//! `GET /metrics`: everything that is measured, in Prometheus' text format.

use std::sync::Arc;

use crate::app::App;
use crate::http::{Problem, Request, Response};
use crate::obs;

/// Writes the scrape.
pub(crate) async fn handle(app: &Arc<App>, _: Request) -> Result<Response, Problem> {
    app.db.observe();
    answer().await
}

/// The scrape, made on a thread of its own: a megabyte of text must not hold up requests.
pub(crate) async fn answer() -> Result<Response, Problem> {
    let text = tokio::task::spawn_blocking(obs::render)
        .await
        .map_err(|error| Problem::internal(error.to_string()))?;
    Ok(Response::of(200, "text/plain; version=0.0.4; charset=utf-8", text))
}
