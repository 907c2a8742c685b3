//! `GET /admin/backlog`

use std::sync::Arc;

use contract::{Pool, Query};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::db::DbError;
use crate::http::{Problem, Request, Response};

/// How much work stands before each stage, over all shards.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct BacklogAnswer {
    /// Domain time of the count.
    #[schemars(with = "String")]
    domain_now: Option<Timestamp>,
    /// Intents that are due and not released.
    pub(super) due: i64,
    /// Lanes that wait for a claim, now or for a retry.
    pub(super) ready: i64,
    /// Lanes that are leased.
    leased: i64,
    /// Lanes whose head's delivery is being looked up.
    pub(super) unresolved: i64,
    /// Texts in all lanes.
    items: i64,
    /// Changes of the counts that are not folded yet.
    pub(super) unfolded: i64,
    /// When the next intent is due, in domain time.
    #[schemars(with = "Option<String>")]
    next_due_at: Option<Timestamp>,
}

/// Counts the backlog.
pub(crate) async fn handle(app: &Arc<App>, _request: Request) -> Result<Response, Problem> {
    Ok(Response::json(200, &read(app).await?))
}

/// The backlog as it is now.
pub(super) async fn read(app: &App) -> Result<BacklogAnswer, DbError> {
    let domain_now = app.clock.domain_now();
    let mut answer = BacklogAnswer { domain_now: Some(domain_now), ..BacklogAnswer::default() };
    let conn = app.db.get(Pool::Reporting).await?;
    for shard in 0..app.practices.shard_count() {
        let row = conn.row_opt(Query::BacklogRead, &[&shard, &domain_now]).await?;
        let Some(row) = row else { continue };
        answer.due += row.get::<_, i64>("due");
        answer.ready += row.get::<_, i64>("ready");
        answer.leased += row.get::<_, i64>("leased");
        answer.unresolved += row.get::<_, i64>("unresolved");
        answer.items += row.get::<_, i64>("items");
        answer.unfolded += row.get::<_, i64>("unfolded");
        let next: Option<Timestamp> = row.get("next_due_at");
        answer.next_due_at = [answer.next_due_at, next].into_iter().flatten().min();
    }
    Ok(answer)
}
