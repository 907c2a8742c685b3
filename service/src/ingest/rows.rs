//! Writes what was decided on a batch of changes: one set-based statement a table and kind.

use contract::Query;
use jiff::Timestamp;
use jiff::civil::Date;

use super::decide::{Decision, Intent, Known, Why};
use super::write::Item;
use crate::db::intents::{self, Ended};
use crate::db::{DbError, Tx, weeks};

/// Stores the newest versions.
pub(super) async fn upsert_appointments(
    tx: &Tx<'_>,
    shard: i16,
    items: &[Item<'_>],
    decisions: &[Decision],
) -> Result<(), DbError> {
    let stored: Vec<(&Item<'_>, &Known)> = items
        .iter()
        .zip(decisions)
        .filter_map(|(item, decision)| decision.store.as_ref().map(|known| (item, known)))
        .collect();
    if stored.is_empty() {
        return Ok(());
    }
    let of = |known: &Known| known.appointment.clone();
    let practices: Vec<i64> = stored.iter().map(|(item, _)| item.revision.practice_id).collect();
    let ids: Vec<String> = stored.iter().map(|(_, k)| of(k).appointment_id).collect();
    let versions: Vec<i64> = stored.iter().map(|(_, k)| k.appointment.version).collect();
    let revisions: Vec<i32> = stored.iter().map(|(_, k)| k.revision).collect();
    let statuses: Vec<i8> = stored
        .iter()
        .map(|(_, k)| if k.appointment.cancelled { b'c' } else { b'b' }.cast_signed())
        .collect();
    let starts: Vec<Timestamp> = stored.iter().map(|(_, k)| k.appointment.starts_at).collect();
    let phones: Vec<i64> = stored.iter().map(|(_, k)| k.appointment.phone).collect();
    let names: Vec<&str> =
        stored.iter().map(|(_, k)| k.appointment.patient_name.as_str()).collect();
    let instructions: Vec<&str> =
        stored.iter().map(|(_, k)| k.appointment.instructions.as_str()).collect();
    let planned: Vec<Timestamp> = stored.iter().map(|(_, k)| k.planned_at).collect();
    let revised: Vec<Timestamp> = stored.iter().map(|(_, k)| k.revised_at).collect();
    // An array of arrays must be rectangular: the days travel as one text each.
    let days: Vec<String> = stored.iter().map(|(_, k)| days_literal(&k.intent_days)).collect();
    let later: Vec<Option<Date>> = stored.iter().map(|(_, k)| k.unplanned_from).collect();
    let rows = tx
        .rows(
            Query::AppointmentUpsert,
            &[
                &shard,
                &practices,
                &ids,
                &versions,
                &revisions,
                &statuses,
                &starts,
                &phones,
                &names,
                &instructions,
                &planned,
                &revised,
                &days,
                &later,
            ],
        )
        .await?;
    let inserted = rows.iter().filter(|row| row.get::<_, bool>(0)).count();
    let new = stored.iter().filter(|(item, _)| item.known.is_none()).count();
    if rows.len() == stored.len() && inserted == new {
        return Ok(());
    }
    // Another process made one of them between our lock, which found nothing, and our insert.
    Err(DbError::Retry { query: Query::AppointmentUpsert.name(), code: "raced".into() })
}

/// A PostgreSQL array literal of dates.
fn days_literal(days: &[Date]) -> String {
    let days: Vec<String> = days.iter().map(Date::to_string).collect();
    format!("{{{}}}", days.join(","))
}

/// Deletes intents that moved and ends those that were stopped.
pub(super) async fn remove_intents(
    tx: &Tx<'_>,
    shard: i16,
    gone: &[(&Item<'_>, &Intent, Option<Why>)],
) -> Result<(), DbError> {
    let moved: Vec<_> = gone.iter().filter(|(.., why)| why.is_none()).collect();
    let days: Vec<Date> = moved.iter().map(|(_, i, _)| i.due_day).collect();
    if let Some((first, last)) = weeks::span(&days) {
        let practices: Vec<i64> =
            moved.iter().map(|(item, ..)| item.revision.practice_id).collect();
        let ids: Vec<&str> = moved.iter().map(|(item, ..)| item.change.appointment_id()).collect();
        let rules: Vec<i16> = moved.iter().map(|(_, i, _)| i.rule_id).collect();
        let versions: Vec<i64> = moved.iter().map(|(_, i, _)| i.plan_version).collect();
        let touched = tx
            .execute(
                Query::IntentDelete,
                &[&shard, &days, &practices, &ids, &rules, &versions, &first, &last],
            )
            .await?;
        debug_assert_eq!(touched, moved.len() as u64, "the intents are locked");
    }
    let stopped = gone.iter().filter_map(|&(item, intent, why)| {
        Some(Ended {
            due_day: intent.due_day,
            practice_id: item.revision.practice_id,
            appointment_id: item.change.appointment_id(),
            rule_id: intent.rule_id,
            plan_version: intent.plan_version,
            reason: match why? {
                Why::Cancelled => b'c',
                Why::Moved => b'm',
            }
            .cast_signed(),
        })
    });
    let stopped: Vec<Ended<'_>> = stopped.collect();
    let touched = intents::suppress(tx, shard, &stopped).await?;
    debug_assert_eq!(touched, stopped.len() as u64, "the intents are locked");
    Ok(())
}

/// Makes the new intents.
pub(super) async fn insert_intents(
    tx: &Tx<'_>,
    shard: i16,
    items: &[Item<'_>],
    decisions: &[Decision],
) -> Result<(), DbError> {
    let new: Vec<_> = items
        .iter()
        .zip(decisions)
        .filter_map(|(item, decision)| Some((item, decision, decision.store.as_ref()?)))
        .flat_map(|(item, decision, store)| {
            decision.insert.iter().map(move |due| (item.revision, &store.appointment, due))
        })
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    let days: Vec<Date> = new.iter().map(|(.., due)| due.local_day).collect();
    let practices: Vec<i64> = new.iter().map(|(revision, ..)| revision.practice_id).collect();
    let ids: Vec<&str> = new.iter().map(|(_, a, _)| a.appointment_id.as_str()).collect();
    let rules: Vec<i16> = new.iter().map(|(.., due)| due.rule_id).collect();
    let versions: Vec<i64> = new.iter().map(|(_, a, _)| a.version).collect();
    let slots: Vec<i16> = new.iter().map(|(.., due)| due.group_slot).collect();
    let revisions: Vec<i32> = new.iter().map(|(revision, ..)| revision.revision).collect();
    let phones: Vec<i64> = new.iter().map(|(_, a, _)| a.phone).collect();
    let dues: Vec<Timestamp> = new.iter().map(|(.., due)| due.due_at).collect();
    let starts: Vec<Timestamp> = new.iter().map(|(_, a, _)| a.starts_at).collect();
    tx.execute(
        Query::IntentInsert,
        &[
            &shard, &days, &practices, &ids, &rules, &versions, &slots, &revisions, &phones, &dues,
            &starts,
        ],
    )
    .await?;
    Ok(())
}
