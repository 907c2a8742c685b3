//! Reads what a batch of changes is about, under locks and in the one order: appointments, their
//! intents, the lanes of those that were released, and then the texts themselves.

use std::collections::HashMap;

use contract::Query;
use jiff::civil::Date;
use tokio_postgres::Row;

use super::Appointment;
use super::decide::{self, Intent, Known, Released};
use super::write::{Item, key};
use crate::db::{DbError, Tx, weeks};

/// Gives each item what is known of it.
pub(super) fn attach_known(items: &mut [Item<'_>], rows: &[Row]) {
    let mut known: HashMap<(i64, String), Known> = rows.iter().map(known_of).collect();
    for item in items {
        let (practice_id, appointment_id) = key(item);
        item.known = known.remove(&(practice_id, appointment_id.to_owned()));
    }
}

fn known_of(row: &Row) -> ((i64, String), Known) {
    let appointment_id: String = row.get("appointment_id");
    let status: i8 = row.get("status");
    let known = Known {
        appointment: Appointment {
            appointment_id: appointment_id.clone(),
            version: row.get("version"),
            starts_at: row.get("starts_at"),
            phone: row.get("phone"),
            patient_name: row.get("patient_name"),
            instructions: row.get("instructions"),
            cancelled: status == b'c'.cast_signed(),
        },
        revision: row.get("revision"),
        planned_at: row.get("planned_at"),
        revised_at: row.get("revised_at"),
        intent_days: row.get("intent_days"),
        unplanned_from: row.get("unplanned_from"),
    };
    ((row.get("practice_id"), appointment_id), known)
}

/// Locks the intents of the appointments that are about to change, and says of those that were
/// released whether they can still be stopped.
pub(super) async fn lock_intents(
    tx: &Tx<'_>,
    shard: i16,
    items: &mut [Item<'_>],
) -> Result<(), DbError> {
    let mut keys: Vec<(Date, i64, &str)> = Vec::new();
    for item in items.iter() {
        let Some(known) = &item.known else { continue };
        if decide::wanted(Some(known), item.change).is_err() {
            continue;
        }
        for &day in &known.intent_days {
            let appointment_id = known.appointment.appointment_id.as_str();
            keys.push((day, item.revision.practice_id, appointment_id));
        }
    }
    // The order of the locks.
    keys.sort_unstable();
    let days: Vec<Date> = keys.iter().map(|key| key.0).collect();
    let Some((first, last)) = weeks::span(&days) else {
        return Ok(());
    };
    let practices: Vec<i64> = keys.iter().map(|key| key.1).collect();
    let ids: Vec<&str> = keys.iter().map(|key| key.2).collect();
    let rows =
        tx.rows(Query::IntentLock, &[&shard, &days, &practices, &ids, &first, &last]).await?;
    let stoppable = stoppable(tx, shard, &rows).await?;
    let mut by_key: HashMap<(i64, String), Vec<Intent>> = HashMap::new();
    for row in &rows {
        let practice_id: i64 = row.get("practice_id");
        let intent = intent_of(row, practice_id, &stoppable);
        by_key.entry((practice_id, row.get("appointment_id"))).or_default().push(intent);
    }
    for item in items {
        let (practice_id, appointment_id) = key(item);
        item.intents = by_key.remove(&(practice_id, appointment_id.to_owned())).unwrap_or_default();
    }
    Ok(())
}

fn intent_of(row: &Row, practice_id: i64, stoppable: &HashMap<(i64, i64), bool>) -> Intent {
    let state: i8 = row.get("state");
    let released = (state == b'r'.cast_signed()).then(|| {
        let message_id: i64 = row.get("message_id");
        let stoppable = stoppable.get(&(practice_id, message_id)).copied().unwrap_or(false);
        Released { message_id, stoppable }
    });
    Intent {
        due_day: row.get("due_day"),
        rule_id: row.get("rule_id"),
        plan_version: row.get("plan_version"),
        group_slot: row.get("group_slot"),
        phone: row.get("phone"),
        due_at: row.get("due_at"),
        starts_at: row.get("starts_at"),
        released,
    }
}

/// Locks the lanes of released texts, then reads the texts in a new statement: what a claim
/// committed before it gave up the lane's lock is seen, and no claim can begin until we commit.
async fn stoppable(
    tx: &Tx<'_>,
    shard: i16,
    intents: &[Row],
) -> Result<HashMap<(i64, i64), bool>, DbError> {
    let mut messages: Vec<(i64, i64, i64)> = intents
        .iter()
        .filter_map(|row| {
            let message_id: Option<i64> = row.get("message_id");
            Some((row.get("practice_id"), row.get("phone"), message_id?))
        })
        .collect();
    if messages.is_empty() {
        return Ok(HashMap::new());
    }
    messages.sort_unstable();
    messages.dedup();
    let practices: Vec<i64> = messages.iter().map(|m| m.0).collect();
    let phones: Vec<i64> = messages.iter().map(|m| m.1).collect();
    let ids: Vec<i64> = messages.iter().map(|m| m.2).collect();
    tx.rows(Query::LaneLockForMessages, &[&shard, &practices, &phones]).await?;
    let rows = tx.rows(Query::MessageStateRead, &[&shard, &practices, &phones, &ids]).await?;
    Ok(rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect())
}
