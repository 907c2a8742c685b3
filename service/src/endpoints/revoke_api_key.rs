//! `DELETE /v1/practices/{practice_id}/api-keys/{key_id}`

use std::sync::Arc;

use contract::{Pool, Query};

use crate::app::App;
use crate::http::{Code, Problem, Request, Response};

/// Ends a key: at once in this process, within a minute in the others.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let practice_id = request.path.i64("practice_id")?;
    let key_id = request.path.i32("key_id")?;
    let shard = app.practices.shard(practice_id);
    let mut conn = app.db.get(Pool::Interactive).await?;
    let tx = conn.begin();
    let revoked = tx
        .row_opt(Query::ApiKeyRevoke, &[&shard, &practice_id, &key_id, &app.clock.real_now()])
        .await?;
    tx.commit().await?;
    app.keys.forget(practice_id, key_id);
    match revoked {
        Some(_) => Ok(Response::empty(204)),
        None => Err(Problem::new(Code::NotFound, "The practice has no valid key of that id.")),
    }
}
