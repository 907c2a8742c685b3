//! `GET /readyz`: 200 while the process can do its work, else a problem that says what is missing.
//! Asks the database anew, so that a load balancer sees what is true now.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use contract::{Pool, Query};

use crate::app::App;
use crate::http::{Code, Problem, Request, Response};
use crate::obs::given_up::in_time;
use crate::readiness::{Latch, Readiness};

/// How long the database may take to answer: probes give up after a second or two.
const PROBE_TIME: Duration = Duration::from_millis(900);

/// Says whether the process is ready.
pub(crate) async fn handle(app: &Arc<App>, _: Request) -> Result<Response, Problem> {
    if let Some(is_writable) = probe(app).await {
        app.readiness.set(Latch::Database, is_writable);
    }
    answer(&app.readiness)
}

/// The answer by the latches as they are.
pub(crate) fn answer(readiness: &Readiness) -> Result<Response, Problem> {
    let missing = readiness.missing();
    if missing.is_empty() {
        return Ok(Response::json(200, &serde_json::json!({ "status": "ready" })));
    }
    let missing: Vec<&str> = missing.into_iter().map(Latch::missing).collect();
    Err(Problem::new(Code::NotReady, missing.join("; ")))
}

/// Whether the database answers and is a primary. None when no connection came free: a full pool
/// says nothing about the database.
async fn probe(app: &App) -> Option<bool> {
    let conn = match in_time(PROBE_TIME, pin!(Some(app.db.get(Pool::Upkeep)))).await {
        Ok(Ok(conn)) => conn,
        Ok(Err(error)) if error.is_unavailable() => {
            let is_full = matches!(error, crate::db::DbError::PoolTimeout(_));
            return (!is_full).then_some(false);
        }
        Ok(Err(_)) | Err(_) => return None,
    };
    let asking = pin!(Some(conn.row_opt(Query::ReadinessProbe, &[])));
    let answered = in_time(PROBE_TIME, asking).await;
    Some(matches!(answered, Ok(Ok(Some(row))) if row.get(0)))
}
