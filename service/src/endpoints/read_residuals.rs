//! `GET /admin/residuals`

use std::sync::Arc;

use contract::Read;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::db::router::Class;
use crate::http::{Problem, Request, Response};
use crate::reconcile::{NAMED_MAX, Residual};

/// The promises that are out of order.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ResidualsAnswer {
    /// At most a thousand a shard, the most urgent first.
    residuals: Vec<Residual>,
}

/// Lists what reconciliation found and nobody has mended, of all practices or of one.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let practice_id: Option<i64> = request.query_as("practice_id", "a practice's number")?;
    let shards = match practice_id {
        Some(practice_id) => app.practices.shard(practice_id)..app.practices.shard(practice_id) + 1,
        None => 0..app.practices.shard_count(),
    };
    let mut reader = app.db.reader(Class::Report);
    let mut residuals = Vec::new();
    for shard in shards {
        let rows = reader.rows(Read::ResidualPage, &[&shard, &practice_id, &NAMED_MAX]).await?;
        residuals.extend(rows.iter().filter_map(Residual::of_row));
    }
    residuals.sort_by_key(|residual| residual.closes_at);
    Ok(Response::json(200, &ResidualsAnswer { residuals }))
}
