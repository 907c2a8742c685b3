//! How a promise ends that no text keeps: by a change that came in time, or with a text that could
//! not be sent after all. Whoever ends one says why, and locks it first.

use contract::Query;
use jiff::civil::Date;

use super::{DbError, Tx, weeks};

/// A promise that ends, locked by its transaction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended<'a> {
    pub(crate) due_day: Date,
    pub(crate) practice_id: i64,
    pub(crate) appointment_id: &'a str,
    pub(crate) rule_id: i16,
    pub(crate) plan_version: i64,
    /// As it is stored.
    pub(crate) reason: i8,
}

/// Ends promises of one shard; answers how many.
pub(crate) async fn suppress(tx: &Tx<'_>, shard: i16, ended: &[Ended<'_>]) -> Result<u64, DbError> {
    let days: Vec<Date> = ended.iter().map(|e| e.due_day).collect();
    let Some((first, last)) = weeks::span(&days) else {
        return Ok(0);
    };
    let practices: Vec<i64> = ended.iter().map(|e| e.practice_id).collect();
    let ids: Vec<&str> = ended.iter().map(|e| e.appointment_id).collect();
    let rules: Vec<i16> = ended.iter().map(|e| e.rule_id).collect();
    let versions: Vec<i64> = ended.iter().map(|e| e.plan_version).collect();
    let reasons: Vec<i8> = ended.iter().map(|e| e.reason).collect();
    tx.execute(
        Query::IntentSuppress,
        &[&shard, &days, &practices, &ids, &rules, &versions, &reasons, &first, &last],
    )
    .await
}
