//! Writes a batch of changes of one shard: locks in the one order (shard, appointment, intent,
//! lane, message), decides on what was read under the locks, writes, commits, answers.
//!
//! Never here: the decision (`decide`).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use contract::{Fate, Limit, Pool, Query, Stage};
use jiff::Timestamp;
use jiff::civil::Date;
use tokio_postgres::Row;

use super::decide::{self, Decision, Intent, Known, Now, Released, Why};
use super::{Appointment, Change, Done, Work};
use crate::clock::Clock;
use crate::commit::Writer;
use crate::config::Config;
use crate::db::tally::{self, TallyDelta};
use crate::db::{Db, DbError, Tx, deployment, floors};
use crate::obs;
use crate::practice::Revision;
use crate::wake::Wake;

/// How often a batch that lost a race is run again before its jobs are run one by one.
const TRIES: u32 = 3;

/// Writes batches of changes.
pub(crate) struct Ingester {
    /// Where to.
    pub(crate) db: Db,
    /// Domain time of planning.
    pub(crate) clock: Arc<Clock>,
    /// Told when something is due at once.
    pub(crate) wake: Arc<Wake>,
    /// How far ahead intents are planned.
    pub(crate) horizon_days: i64,
}

impl Ingester {
    /// An ingester as configured.
    pub(crate) fn new(db: Db, clock: Arc<Clock>, wake: Arc<Wake>, config: &Config) -> Self {
        let horizon = config.limit(Limit::PlanHorizonDays);
        Self { db, clock, wake, horizon_days: i64::try_from(horizon).unwrap_or(i64::MAX) }
    }
}

impl Writer for Ingester {
    type Job = Work;

    async fn write(&self, shard: i16, jobs: Vec<Work>) {
        let started = std::time::Instant::now();
        for job in &jobs {
            obs::stage::lateness(Stage::Plan, job.received_at.elapsed());
        }
        let size = jobs.iter().map(|job| job.changes.len()).sum();
        let result = self.write_with_retries(shard, &jobs).await;
        obs::stage::batch(Stage::Plan, size, started.elapsed());
        match result {
            Ok(answers) => answer_all(jobs, answers),
            // One of them may be at fault: each on its own, so that it fails alone.
            Err(error) if jobs.len() > 1 && !error.is_unavailable() => {
                for job in jobs {
                    let alone = std::slice::from_ref(&job);
                    let result = self.write_with_retries(shard, alone).await;
                    obs::stage::failed(Stage::Plan, u64::from(result.is_err()));
                    answer_one(job, result.map(|mut answers| answers.pop().unwrap_or_default()));
                }
            }
            Err(error) => {
                obs::stage::failed(Stage::Plan, jobs.len() as u64);
                for job in jobs {
                    answer_one(job, Err(error.clone()));
                }
            }
        }
    }
}

fn answer_all(jobs: Vec<Work>, answers: Vec<Vec<Done>>) {
    for (job, answer) in jobs.into_iter().zip(answers) {
        answer_one(job, Ok(answer));
    }
}

fn answer_one(job: Work, answer: Result<Vec<Done>, DbError>) {
    // The caller may have gone away; what is committed stays committed.
    let _gone = job.answer.send(answer);
}

/// A change with what is needed to decide on it.
struct Item<'a> {
    revision: &'a Revision,
    change: &'a Change,
    known: Option<Known>,
    intents: Vec<Intent>,
}

impl Ingester {
    async fn write_with_retries(
        &self,
        shard: i16,
        jobs: &[Work],
    ) -> Result<Vec<Vec<Done>>, DbError> {
        let mut tries = 1;
        loop {
            match self.write_batch(shard, jobs).await {
                Err(error) if error.is_retryable() && tries < TRIES => tries += 1,
                result => return result,
            }
        }
    }

    async fn write_batch(&self, shard: i16, jobs: &[Work]) -> Result<Vec<Vec<Done>>, DbError> {
        let mut items = items_in_key_order(jobs);
        let mut conn = self.db.get(Pool::Interactive).await?;
        let tx = conn.begin();
        let (practices, ids) = keys(&items);
        let lock_params: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&shard, &practices, &ids];
        let (_floors, rows) = tokio::try_join!(
            biased;
            floors::lock(&tx, shard),
            tx.rows(Query::AppointmentLock, &lock_params),
        )?;
        attach_known(&mut items, &rows);
        lock_intents(&tx, shard, &mut items).await?;

        let domain_now = self.clock.domain_now();
        let today = domain_now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let now = Now {
            domain_now,
            horizon: deployment::days_after(today, self.horizon_days),
        };
        let decisions: Vec<Decision> = items
            .iter()
            .map(|item| {
                let known = item.known.as_ref();
                decide::decide(known, item.change, &item.intents, item.revision, now)
            })
            .collect();
        write_decisions(&tx, shard, &items, &decisions).await?;
        let statements = tx.statements();
        tx.commit().await?;
        drop(conn);
        for scope in jobs.iter().filter_map(|job| job.scope.as_ref()) {
            scope.charge(statements, 0);
        }

        // At scaled speed a second is long: whatever is due within the next real one is soon.
        let soon = self.clock.pace().domain_at(self.clock.real_now() + Duration::from_secs(1));
        if decisions.iter().any(|d| d.insert.iter().any(|due| due.due_at <= soon)) {
            self.wake.notify(shard);
        }
        count_fates(&decisions);
        Ok(in_callers_order(jobs, &items, decisions))
    }
}

fn items_in_key_order(jobs: &[Work]) -> Vec<Item<'_>> {
    let mut items: Vec<Item<'_>> = jobs
        .iter()
        .flat_map(|job| {
            job.changes.iter().map(|change| Item {
                revision: &job.revision,
                change,
                known: None,
                intents: Vec::new(),
            })
        })
        .collect();
    items.sort_by(|a, b| key(a).cmp(&key(b)));
    items
}

fn key<'a>(item: &Item<'a>) -> (i64, &'a str) {
    (item.revision.practice_id, item.change.appointment_id())
}

fn keys<'a>(items: &[Item<'a>]) -> (Vec<i64>, Vec<&'a str>) {
    items.iter().map(key).unzip()
}

/// Gives each item what is known of it.
fn attach_known(items: &mut [Item<'_>], rows: &[Row]) {
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
        intent_days: row.get("intent_days"),
        unplanned_from: row.get("unplanned_from"),
    };
    ((row.get("practice_id"), appointment_id), known)
}

/// Locks the intents of the appointments that are about to change, and says of those that were
/// released whether they can still be stopped.
async fn lock_intents(tx: &Tx<'_>, shard: i16, items: &mut [Item<'_>]) -> Result<(), DbError> {
    let (mut practices, mut ids, mut days) = (Vec::new(), Vec::new(), Vec::new());
    for item in items.iter() {
        let Some(known) = &item.known else { continue };
        if decide::wanted(Some(known), item.change).is_err() {
            continue;
        }
        for &day in &known.intent_days {
            practices.push(item.revision.practice_id);
            ids.push(known.appointment.appointment_id.as_str());
            days.push(day);
        }
    }
    if days.is_empty() {
        return Ok(());
    }
    // The same days once more, alone: the planner prunes partitions by them.
    let mut pruning = days.clone();
    pruning.sort_unstable();
    pruning.dedup();
    let rows =
        tx.rows(Query::IntentLock, &[&shard, &practices, &ids, &days, &pruning]).await?;
    let stoppable = stoppable(tx, shard, &rows).await?;
    let mut by_key: HashMap<(i64, String), Vec<Intent>> = HashMap::new();
    for row in &rows {
        let practice_id: i64 = row.get("practice_id");
        let intent = intent_of(row, practice_id, &stoppable);
        by_key.entry((practice_id, row.get("appointment_id"))).or_default().push(intent);
    }
    for item in items {
        let (practice_id, appointment_id) = key(item);
        item.intents =
            by_key.remove(&(practice_id, appointment_id.to_owned())).unwrap_or_default();
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

async fn write_decisions(
    tx: &Tx<'_>,
    shard: i16,
    items: &[Item<'_>],
    decisions: &[Decision],
) -> Result<(), DbError> {
    upsert_appointments(tx, shard, items, decisions).await?;
    let gone: Vec<(&Item<'_>, &Intent, Option<Why>)> = items
        .iter()
        .zip(decisions)
        .flat_map(|(item, decision)| {
            let deleted = decision.delete.iter().map(move |intent| (item, intent, None));
            let suppressed =
                decision.suppress.iter().map(move |(intent, why)| (item, intent, Some(*why)));
            deleted.chain(suppressed)
        })
        .collect();
    remove_intents(tx, shard, &gone).await?;
    insert_intents(tx, shard, items, decisions).await?;
    tally::append(tx, shard, &tally_of(items, decisions)).await
}

async fn upsert_appointments(
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
    // An array of arrays must be rectangular: the days travel as one text each.
    let days: Vec<String> = stored.iter().map(|(_, k)| days_literal(&k.intent_days)).collect();
    let later: Vec<Option<Date>> = stored.iter().map(|(_, k)| k.unplanned_from).collect();
    let rows = tx
        .rows(
            Query::AppointmentUpsert,
            &[
                &shard, &practices, &ids, &versions, &revisions, &statuses, &starts, &phones,
                &names, &instructions, &planned, &days, &later,
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

async fn remove_intents(
    tx: &Tx<'_>,
    shard: i16,
    gone: &[(&Item<'_>, &Intent, Option<Why>)],
) -> Result<(), DbError> {
    for why in [None, Some(Why::Cancelled), Some(Why::Moved)] {
        let of_kind: Vec<_> = gone.iter().filter(|(_, _, w)| *w == why).collect();
        if of_kind.is_empty() {
            continue;
        }
        let days: Vec<Date> = of_kind.iter().map(|(_, i, _)| i.due_day).collect();
        let practices: Vec<i64> =
            of_kind.iter().map(|(item, ..)| item.revision.practice_id).collect();
        let ids: Vec<&str> =
            of_kind.iter().map(|(item, ..)| item.change.appointment_id()).collect();
        let rules: Vec<i16> = of_kind.iter().map(|(_, i, _)| i.rule_id).collect();
        let versions: Vec<i64> = of_kind.iter().map(|(_, i, _)| i.plan_version).collect();
        let mut pruning = days.clone();
        pruning.sort_unstable();
        pruning.dedup();
        let touched = match why {
            None => {
                tx.execute(
                    Query::IntentDelete,
                    &[&shard, &days, &practices, &ids, &rules, &versions, &pruning],
                )
                .await?
            }
            Some(why) => {
                let reason = match why {
                    Why::Cancelled => b'c',
                    Why::Moved => b'm',
                }
                .cast_signed();
                tx.execute(
                    Query::IntentSuppress,
                    &[&shard, &days, &practices, &ids, &rules, &versions, &pruning, &reason],
                )
                .await?
            }
        };
        debug_assert_eq!(touched, of_kind.len() as u64, "the intents are locked");
    }
    Ok(())
}

async fn insert_intents(
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
            &shard, &days, &practices, &ids, &rules, &versions, &slots, &revisions, &phones,
            &dues, &starts,
        ],
    )
    .await?;
    Ok(())
}

/// Promises made and taken back, and those that end here.
fn tally_of(items: &[Item<'_>], decisions: &[Decision]) -> Vec<TallyDelta> {
    let mut deltas = Vec::new();
    for (item, decision) in items.iter().zip(decisions) {
        let practice_id = item.revision.practice_id;
        let mut add = |local_day, rule_id, fate, n| {
            deltas.push(TallyDelta { practice_id, local_day, rule_id, fate, n });
        };
        for due in &decision.insert {
            add(due.local_day, due.rule_id, Fate::Expected, 1);
        }
        for intent in &decision.delete {
            add(intent.due_day, intent.rule_id, Fate::Expected, -1);
        }
        for (intent, why) in &decision.suppress {
            add(intent.due_day, intent.rule_id, fate_of(*why), 1);
        }
    }
    deltas
}

const fn fate_of(why: Why) -> Fate {
    match why {
        Why::Cancelled => Fate::SuppressedCancelled,
        Why::Moved => Fate::SuppressedMoved,
    }
}

fn count_fates(decisions: &[Decision]) {
    let mut expected = 0;
    for decision in decisions {
        expected += decision.insert.len() as u64;
        for (_, why) in &decision.suppress {
            obs::fate::add(fate_of(*why), 1);
        }
    }
    obs::fate::add(Fate::Expected, expected);
}

/// Puts the answers back where their jobs wait for them.
fn in_callers_order(
    jobs: &[Work],
    items: &[Item<'_>],
    decisions: Vec<Decision>,
) -> Vec<Vec<Done>> {
    let mut done: HashMap<(i64, &str), Done> =
        items.iter().zip(decisions).map(|(item, decision)| (key(item), decision.done)).collect();
    jobs.iter()
        .map(|job| {
            let id = job.revision.practice_id;
            job.changes
                .iter()
                .map(|change| {
                    done.remove(&(id, change.appointment_id()))
                        .expect("every change of a batch was decided on, once")
                })
                .collect()
        })
        .collect()
}
