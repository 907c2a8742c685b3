//! `GET /admin/audit`

use std::sync::Arc;

use crate::app::App;
use crate::audit;
use crate::http::{Problem, Request, Response};

/// Checks the laws; 200 whatever it found, `holds` says it in short.
pub(crate) async fn handle(app: &Arc<App>, _request: Request) -> Result<Response, Problem> {
    let shards = app.practices.shard_count();
    let report = audit::run(&app.db, shards, app.clock.real_now()).await?;
    Ok(Response::json(200, &report))
}
