//! `POST /v1/practices/{practice_id}/api-keys`

use std::sync::Arc;

use contract::{Pool, Query};
use schemars::JsonSchema;
use serde::Serialize;

use super::shapes::no_practice;
use crate::app::App;
use crate::http::{Problem, Request, Response, auth};

/// A new key.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ApiKeyAnswer {
    /// Names the key when it is revoked.
    pub(crate) key_id: i32,
    /// The key itself. It is not stored and never shown again.
    pub(crate) api_key: String,
}

/// Makes a key.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let practice_id = request.path.i64("practice_id")?;
    app.practices.get(practice_id).await?.ok_or_else(no_practice)?;
    let shard = app.practices.shard(practice_id);
    let secret = auth::NewSecret::random();
    let mut conn = app.db.get(Pool::Interactive).await?;
    let tx = conn.begin();
    let hash: &[u8] = secret.hash();
    let row = tx
        .row_opt(Query::ApiKeyInsert, &[&shard, &practice_id, &hash, &app.clock.real_now()])
        .await?
        .ok_or_else(|| Problem::internal("an API key was inserted and has no id"))?;
    tx.commit().await?;
    let key_id: i32 = row.get(0);
    let api_key = secret.shown(practice_id, key_id);
    Ok(Response::json(201, &ApiKeyAnswer { key_id, api_key }))
}
