//! The floors of a shard: no scan looks below them, so nothing may come to stand below them.
//! Whoever plans an intent or makes a lane ready takes this lock first and keeps to it.

use contract::Query;
use jiff::Timestamp;
use jiff::civil::Date;

use super::{DbError, Tx};

/// What a shard's row says, true until the transaction ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Floors {
    /// Real time: no lane becomes ready earlier.
    pub(crate) ready_floor: Timestamp,
    /// Domain time: no intent is planned earlier.
    pub(crate) release_floor: Timestamp,
    /// The oldest local day that may hold planned intents.
    pub(crate) release_day: Date,
}

/// Locks the shard's row FOR SHARE: always the first statement of its transaction.
pub(crate) async fn lock(tx: &Tx<'_>, shard: i16) -> Result<Floors, DbError> {
    let row = tx.row_opt(Query::ShardFloors, &[&shard]).await?.ok_or(DbError::Refused {
        query: Query::ShardFloors.name(),
        code: "client".into(),
        message: format!("shard {shard} has no row: was the database migrated?"),
    })?;
    Ok(Floors { ready_floor: row.get(0), release_floor: row.get(1), release_day: row.get(2) })
}
