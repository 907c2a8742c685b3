//! What is fixed once for a database: the shard count, the rows of the shards and of their
//! maintainers.

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

/// Fixes the shard count if nobody did (the first process wins), makes the rows that depend on it
/// and returns the count that holds.
pub(crate) async fn fix(db: &Db, shard_count: i16) -> Result<i16, DbError> {
    let mut conn = db.get(Pool::Upkeep).await?;
    let tx = conn.begin();
    tx.execute(Query::DeploymentInsert, &[&shard_count]).await?;
    let fixed: i16 = read(&tx.row_opt(Query::DeploymentRead, &[]).await?)?;
    tx.execute(Query::ShardInsert, &[&fixed]).await?;
    let stages: Vec<&str> = MAINTAINED.iter().map(|stage| stage.name()).collect();
    tx.execute(Query::MaintainerInsert, &[&fixed, &stages]).await?;
    tx.commit().await?;
    Ok(fixed)
}

/// The count that holds.
pub(crate) async fn shard_count(conn: &Conn) -> Result<i16, DbError> {
    read(&conn.row_opt(Query::DeploymentRead, &[]).await?)
}

fn read(row: &Option<tokio_postgres::Row>) -> Result<i16, DbError> {
    row.as_ref().map(|row| row.get(0)).ok_or(DbError::Refused {
        query: Query::DeploymentRead.name(),
        code: "client".into(),
        message: "the deployment has no row: was the database migrated?".into(),
    })
}
