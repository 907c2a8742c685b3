//! The transaction of a release: locks (shard, intents, lanes), renders, stores, marks. A family
//! text that exists already is left to `join`.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use contract::{Pool, Query, Stage};
use jiff::Timestamp;
use jiff::civil::Date;

use super::group::{self, DueIntent, Group, GroupKey};
use super::join;
use crate::db::{DbError, Tx, floors, weeks};
use crate::obs;
use crate::stages::render::{Draft, Wording, ids_literal, render, times_literal};
use crate::stages::{Shared, maintainer};
use crate::text::Member;

/// What a batch released.
pub(in crate::stages) struct Released {
    pub(in crate::stages) intents: usize,
    pub(in crate::stages) texts: usize,
    /// There may be more that is due.
    pub(in crate::stages) is_full: bool,
    /// When the next one is due, in domain time.
    pub(in crate::stages) next_due: Option<Timestamp>,
}

/// Why a batch could not be released, and what was in it.
pub(in crate::stages) struct Failed {
    pub(in crate::stages) error: DbError,
    /// Whose promises, each once; none if that isn't known.
    pub(super) practices: Vec<i64>,
    pub(super) intents: usize,
}

impl From<DbError> for Failed {
    fn from(error: DbError) -> Self {
        Self { error, practices: Vec::new(), intents: 0 }
    }
}

/// A group with its words.
pub(super) struct Worded {
    pub(super) group: Group,
    pub(super) wording: Wording,
}

/// Where a group's text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) message_id: i64,
    /// It isn't in its lane yet.
    pub(super) is_new: bool,
}

/// Releases one batch of a shard; `None` when somebody else is releasing it.
pub(in crate::stages) async fn release_batch(
    shared: &Shared,
    shard: i16,
    batch_max: u32,
) -> Result<Option<Released>, Failed> {
    let started = Instant::now();
    let clock = &shared.app.clock;
    let mut conn = shared.app.db.get_for(Stage::Release, Pool::Pipeline).await?;
    let tx = conn.begin();
    let (is_ours, floors) = tokio::try_join!(
        biased;
        maintainer::lock(&tx, shard, Stage::Release),
        floors::lock(&tx, shard),
    )?;
    if !is_ours {
        tx.rollback().await?;
        return Ok(None);
    }
    let domain_now = clock.domain_now();
    let (first, last) = maintainer::due_days(floors.release_day, domain_now);
    let aside = shared.aside.now(started);
    let (floor, limit) = (floors.release_floor, i64::from(batch_max));
    let rows = tx
        .rows(Query::ReleaseDue, &[&shard, &first, &last, &floor, &domain_now, &limit, &aside])
        .await?;
    let is_full = rows.len() >= batch_max as usize;
    let mut intents: Vec<DueIntent> = rows.iter().map(DueIntent::from).collect();
    drop(rows);
    if is_full {
        group::leave_cut_family(&mut intents);
    }
    let mut practices: Vec<i64> = intents.iter().map(|intent| intent.practice_id).collect();
    practices.sort_unstable();
    practices.dedup();
    let mut groups = group::group(intents);
    let is_full = group::leave_surplus(&mut groups) > 0 || is_full;
    let lateness = lateness(shared, &groups);
    let made = make(shared, &tx, shard, groups).await;
    let intents = lateness.len();
    let worded = made.map_err(|error| Failed { error, practices, intents })?;
    let next_due = if is_full {
        None
    } else {
        let row = tx.row_opt(Query::ReleaseNext, &[&shard, &first, &last, &aside]).await?;
        row.map(|row| row.get(0))
    };
    tx.commit().await?;
    drop(conn);
    if intents > 0 {
        obs::stage::batch(Stage::Release, intents, started.elapsed());
        for late in lateness {
            obs::stage::lateness(Stage::Release, late);
        }
        for worded in &worded {
            obs::stage::lateness(Stage::Render, late_by(shared, worded.group.due_at()));
        }
    }
    Ok(Some(Released { intents, texts: worded.len(), is_full, next_due }))
}

/// Words groups and puts them into their recipients' lanes.
async fn make(
    shared: &Shared,
    tx: &Tx<'_>,
    shard: i16,
    groups: Vec<Group>,
) -> Result<Vec<Worded>, DbError> {
    let worded = word(shared, tx, shard, groups).await?;
    if !worded.is_empty() {
        let places = place(shared, tx, shard, &worded, shared.app.clock.real_now()).await?;
        queue(tx, shard, &worded, &places).await?;
    }
    Ok(worded)
}

fn lateness(shared: &Shared, groups: &[Group]) -> Vec<Duration> {
    let members = groups.iter().flat_map(|group| &group.members);
    members.map(|intent| late_by(shared, intent.due_at)).collect()
}

/// How late it is in real time, for something due at a domain instant.
fn late_by(shared: &Shared, due_at: Timestamp) -> Duration {
    let clock = &shared.app.clock;
    Duration::try_from(clock.real_now().duration_since(clock.to_real(due_at)))
        .unwrap_or(Duration::ZERO)
}

async fn word(
    shared: &Shared,
    tx: &Tx<'_>,
    shard: i16,
    groups: Vec<Group>,
) -> Result<Vec<Worded>, DbError> {
    let drafts: Vec<Draft<'_>> = groups
        .iter()
        .map(|group| Draft {
            practice_id: group.key.practice_id,
            revision: group.revision(),
            rule_id: group.key.rule_id,
            due_at: group.due_at(),
            members: group.members.iter().map(member).collect(),
        })
        .collect();
    let wordings = render(shared, tx, shard, &drafts).await?;
    drop(drafts);
    let worded = groups.into_iter().zip(wordings);
    Ok(worded.map(|(group, wording)| Worded { group, wording }).collect())
}

/// What a text says of an appointment.
pub(super) fn member(intent: &DueIntent) -> Member<'_> {
    Member {
        patient_name: &intent.patient_name,
        instructions: &intent.instructions,
        starts_at: intent.starts_at,
    }
}

/// Locks the recipients' lanes and finds or makes the text of each group.
async fn place(
    shared: &Shared,
    tx: &Tx<'_>,
    shard: i16,
    worded: &[Worded],
    real_now: Timestamp,
) -> Result<Vec<Placed>, DbError> {
    let first: Vec<(&Worded, i16)> = worded.iter().map(|worded| (worded, 1)).collect();
    let ((), made) = tokio::try_join!(
        biased;
        enter(tx, shard, worded, real_now),
        insert(tx, shard, &first, real_now),
    )?;
    // Nearly always each group is new and its text was made just now.
    let rest: Vec<&Worded> =
        worded.iter().filter(|worded| !made.contains_key(&worded.group.key)).collect();
    let mut joined = if rest.is_empty() {
        HashMap::new()
    } else {
        join::join(shared, tx, shard, &rest, real_now).await?
    };
    worded
        .iter()
        .map(|worded| {
            let key = &worded.group.key;
            let new = made.get(key).map(|&message_id| Placed { message_id, is_new: true });
            new.or_else(|| joined.remove(key)).ok_or(raced())
        })
        .collect()
}

/// Two releases met over a group: the unique key let one through, the other runs again.
pub(super) fn raced() -> DbError {
    DbError::Retry { query: Query::MessageInsert.name(), code: "raced".into() }
}

async fn enter(
    tx: &Tx<'_>,
    shard: i16,
    worded: &[Worded],
    real_now: Timestamp,
) -> Result<(), DbError> {
    let mut lanes: Vec<(i64, i64)> =
        worded.iter().map(|w| (w.group.key.practice_id, w.group.key.phone)).collect();
    lanes.sort_unstable();
    lanes.dedup();
    let (practices, phones): (Vec<i64>, Vec<i64>) = lanes.into_iter().unzip();
    tx.execute(Query::LaneEnter, &[&shard, &practices, &phones, &real_now]).await?;
    Ok(())
}

/// Stores texts in the order given; those whose group and generation is there already don't come
/// back.
pub(super) async fn insert(
    tx: &Tx<'_>,
    shard: i16,
    texts: &[(&Worded, i16)],
    real_now: Timestamp,
) -> Result<HashMap<GroupKey, i64>, DbError> {
    let keys: Vec<GroupKey> = texts.iter().map(|(w, _)| w.group.key).collect();
    let practices: Vec<i64> = keys.iter().map(|k| k.practice_id).collect();
    let phones: Vec<i64> = keys.iter().map(|k| k.phone).collect();
    let days: Vec<Date> = keys.iter().map(|k| k.local_day).collect();
    let rules: Vec<i16> = keys.iter().map(|k| k.rule_id).collect();
    let slots: Vec<i16> = keys.iter().map(|k| k.group_slot).collect();
    let generations: Vec<i16> = texts.iter().map(|(_, generation)| *generation).collect();
    let segments: Vec<i16> = texts.iter().map(|(w, _)| w.wording.text.segments).collect();
    let revisions: Vec<i32> = texts.iter().map(|(w, _)| w.wording.revision).collect();
    let dues: Vec<Timestamp> = texts.iter().map(|(w, _)| w.group.due_at()).collect();
    let expiries: Vec<Timestamp> = texts.iter().map(|(w, _)| w.group.expires_at()).collect();
    let members: Vec<String> = texts.iter().map(|(w, _)| member_ids(&w.group)).collect();
    let starts: Vec<String> = texts.iter().map(|(w, _)| member_starts(&w.group)).collect();
    let bodies: Vec<&str> = texts.iter().map(|(w, _)| w.wording.text.body.as_str()).collect();
    let rows = tx
        .rows(
            Query::MessageInsert,
            &[
                &shard,
                &real_now,
                &practices,
                &phones,
                &days,
                &rules,
                &slots,
                &generations,
                &segments,
                &revisions,
                &dues,
                &expiries,
                &members,
                &starts,
                &bodies,
            ],
        )
        .await?;
    let key = |row: &tokio_postgres::Row| GroupKey {
        practice_id: row.get("practice_id"),
        phone: row.get("phone"),
        local_day: row.get("local_day"),
        rule_id: row.get("rule_id"),
        group_slot: row.get("group_slot"),
    };
    Ok(rows.iter().map(|row| (key(row), row.get("message_id"))).collect())
}

fn member_ids(group: &Group) -> String {
    let ids: Vec<&str> = group.members.iter().map(|m| m.appointment_id.as_str()).collect();
    ids_literal(&ids)
}

fn member_starts(group: &Group) -> String {
    let starts: Vec<Timestamp> = group.members.iter().map(|m| m.starts_at).collect();
    times_literal(&starts)
}

/// Puts new texts into their lanes and marks the intents of all.
async fn queue(
    tx: &Tx<'_>,
    shard: i16,
    worded: &[Worded],
    places: &[Placed],
) -> Result<(), DbError> {
    let new: Vec<(&Group, i64)> = worded
        .iter()
        .zip(places)
        .filter(|(_, place)| place.is_new)
        .map(|(worded, place)| (&worded.group, place.message_id))
        .collect();
    let practices: Vec<i64> = new.iter().map(|(g, _)| g.key.practice_id).collect();
    let phones: Vec<i64> = new.iter().map(|(g, _)| g.key.phone).collect();
    let ids: Vec<i64> = new.iter().map(|(_, id)| *id).collect();
    let expiries: Vec<Timestamp> = new.iter().map(|(g, _)| g.expires_at()).collect();
    let item_params: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&shard, &practices, &phones, &ids, &expiries];

    let intents: Vec<(&DueIntent, i64)> = worded
        .iter()
        .zip(places)
        .flat_map(|(worded, place)| worded.group.members.iter().map(|m| (m, place.message_id)))
        .collect();
    let days: Vec<Date> = intents.iter().map(|(i, _)| i.due_day).collect();
    let Some((first, last)) = weeks::span(&days) else {
        return Ok(());
    };
    let owners: Vec<i64> = intents.iter().map(|(i, _)| i.practice_id).collect();
    let appointments: Vec<&str> = intents.iter().map(|(i, _)| i.appointment_id.as_str()).collect();
    let rules: Vec<i16> = intents.iter().map(|(i, _)| i.rule_id).collect();
    let versions: Vec<i64> = intents.iter().map(|(i, _)| i.plan_version).collect();
    let messages: Vec<i64> = intents.iter().map(|(_, id)| *id).collect();
    let intent_params: [&(dyn tokio_postgres::types::ToSql + Sync); 9] =
        [&shard, &days, &owners, &appointments, &rules, &versions, &messages, &first, &last];
    tokio::try_join!(
        biased;
        tx.execute(Query::LaneItemInsert, &item_params),
        tx.execute(Query::IntentRelease, &intent_params),
    )?;
    Ok(())
}
