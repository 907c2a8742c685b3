//! What is fixed once for a database: the shard count, the rows of the shards and of their
//! maintainers. Beside it, which build was put in place last: files are as old as they were when
//! they were packed, and a process doesn't know whether it is the first of its kind.

use jiff::Timestamp;

use contract::{Pool, Query, Stage};

use super::{Conn, Db, DbError};

/// Stages of which one runner at a time works on a shard.
const MAINTAINED: &[Stage] = &[
    Stage::Release,
    Stage::Floor,
    Stage::Sweep,
    Stage::Fold,
    Stage::Reconcile,
    Stage::Observe,
    Stage::Extend,
    Stage::Replan,
];

/// What a process finds at its start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fixed {
    /// The count that holds.
    pub(crate) shard_count: i16,
    /// When this build's first process began, since another one's did.
    pub(crate) deployed_at: Timestamp,
}

/// Fixes the shard count if nobody did (the first process wins), notes that this build is there,
/// and makes the rows that depend on the count.
pub(crate) async fn fix(db: &Db, shard_count: i16, build: &str) -> Result<Fixed, DbError> {
    let mut conn = db.get(Pool::Upkeep).await?;
    let tx = conn.begin();
    tx.execute(Query::DeploymentInsert, &[&shard_count, &build]).await?;
    let fixed = read(&tx.row_opt(Query::DeploymentRead, &[]).await?)?;
    tx.execute(Query::ShardInsert, &[&fixed.shard_count]).await?;
    let stages: Vec<&str> = MAINTAINED.iter().map(|stage| stage.name()).collect();
    tx.execute(Query::MaintainerInsert, &[&fixed.shard_count, &stages]).await?;
    tx.commit().await?;
    Ok(fixed)
}

/// The count that holds.
pub(crate) async fn shard_count(conn: &Conn) -> Result<i16, DbError> {
    Ok(read(&conn.row_opt(Query::DeploymentRead, &[]).await?)?.shard_count)
}

fn read(row: &Option<tokio_postgres::Row>) -> Result<Fixed, DbError> {
    let fixed = row.as_ref().map(|row| Fixed {
        shard_count: row.get("shard_count"),
        deployed_at: row.get("deployed_at"),
    });
    fixed.ok_or(DbError::Refused {
        query: Query::DeploymentRead.name(),
        code: "client".into(),
        message: "the deployment has no row: was the database migrated?".into(),
    })
}
