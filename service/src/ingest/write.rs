//! Writes a batch of changes of one shard: locks in the one order (shard, appointment, intent,
//! lane, message), decides on what was read under the locks, writes, commits, answers.
//!
//! Never here: the decision (`decide`).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::decide::{self, Decision, Intent, Known, Now, Why};
use super::read::{attach_known, lock_intents};
use super::rows::{insert_intents, remove_intents, upsert_appointments};
use super::{Change, Done, Outcome, Work};
use crate::clock::Clock;
use crate::commit::Writer;
use crate::config::Config;
use crate::db::router::carried;
use crate::db::tally::{self, TallyDelta};
use crate::db::{Db, DbError, Tx, floors, weeks};
use crate::obs;
use crate::obs::request::BatchScope;
use crate::practice::Revision;
use crate::wake::Wake;
use contract::{Fate, Journey, Limit, Pool, Query, Stage};

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
        let of_batch = BatchScope::begin(Stage::Plan);
        let result = of_batch.run(Box::pin(self.write_with_retries(shard, &jobs))).await;
        of_batch.share(size, jobs.iter().map(|job| (&job.scope, job.queued_at)));
        obs::stage::batch(Stage::Plan, size, started.elapsed());
        match result {
            Ok(answers) => {
                for (job, answer) in jobs.iter().zip(&answers) {
                    ended(job, answer);
                }
                answer_all(jobs, answers);
            }
            // One of them may be at fault: each on its own, so that it fails alone.
            Err(error) if jobs.len() > 1 && !error.is_unavailable() => {
                for job in jobs {
                    let alone = BatchScope::begin(Stage::Plan);
                    let one = std::slice::from_ref(&job);
                    let result = alone.run(Box::pin(self.write_with_retries(shard, one))).await;
                    alone.share(1, std::iter::once((&job.scope, job.queued_at)));
                    obs::stage::failed(Stage::Plan, u64::from(result.is_err()));
                    let result = result.map(|mut answers| answers.pop().unwrap_or_default());
                    match &result {
                        Ok(answer) => ended(&job, answer),
                        Err(_) => broken_off(&job.changes),
                    }
                    answer_one(job, result);
                }
            }
            Err(error) => {
                obs::stage::failed(Stage::Plan, jobs.len() as u64);
                for job in jobs {
                    broken_off(&job.changes);
                    answer_one(job, Err(error.clone()));
                }
            }
        }
    }
}

/// Records the journeys that end with the commit, whether or not anybody waits for the answer:
/// those who left are the ones that waited longest.
fn ended(job: &Work, done: &[Done]) {
    for (change, done) in job.changes.iter().zip(done) {
        if let (Some(journey), Outcome::Stored) = (journey_of(change), done.outcome) {
            obs::journey::record_of(journey, job.received_at.elapsed(), job.scope.as_deref());
        }
    }
}

/// Counts the journeys of changes that were not made: whoever sends them again begins new ones.
pub(super) fn broken_off(changes: &[Change]) {
    for journey in changes.iter().filter_map(journey_of) {
        obs::journey::broken_off(journey, 1);
    }
}

const fn journey_of(change: &Change) -> Option<Journey> {
    match change {
        Change::Upsert(appointment) if appointment.cancelled => Some(Journey::CancelToSafe),
        Change::Upsert(_) => Some(Journey::BookingToPromise),
        Change::Cancel { .. } => Some(Journey::CancelToSafe),
        Change::Replan { .. } => None,
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
pub(super) struct Item<'a> {
    pub(super) revision: &'a Revision,
    pub(super) change: &'a Change,
    pub(super) known: Option<Known>,
    pub(super) intents: Vec<Intent>,
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
                Err(error) if error.is_retryable() && tries < TRIES => {
                    tries += 1;
                    obs::request::begins_again();
                }
                result => return result,
            }
        }
    }

    async fn write_batch(&self, shard: i16, jobs: &[Work]) -> Result<Vec<Vec<Done>>, DbError> {
        let mut items = items_in_key_order(jobs);
        let mut conn = self.db.get_for(Stage::Plan, Pool::Interactive).await?;
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
        let now = Now { domain_now, horizon: weeks::days_after(today, self.horizon_days) };
        let decisions: Vec<Decision> = items
            .iter()
            .map(|item| {
                let known = item.known.as_ref();
                decide::decide(known, item.change, &item.intents, item.revision, now)
            })
            .collect();
        write_decisions(&tx, shard, &items, &decisions).await?;
        let token = tx.commit_at().await?;
        drop(conn);
        carried::tell(jobs.iter().map(|job| &job.carried), token);

        // At scaled speed a second is long: whatever is due within the next real one is soon.
        let soon = self.clock.pace().domain_at(self.clock.real_now() + Duration::from_secs(1));
        if decisions.iter().any(|d| d.insert.iter().any(|due| due.due_at <= soon)) {
            self.wake.notify(shard);
        }
        count_fates(&decisions, obs::fate::DueNow::by(&self.clock));
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

/// What an item is about: batches are sorted by it.
pub(super) fn key<'a>(item: &Item<'a>) -> (i64, &'a str) {
    (item.revision.practice_id, item.change.appointment_id())
}

fn keys<'a>(items: &[Item<'a>]) -> (Vec<i64>, Vec<&'a str>) {
    items.iter().map(key).unzip()
}

async fn write_decisions(
    tx: &Tx<'_>,
    shard: i16,
    items: &[Item<'_>],
    decisions: &[Decision],
) -> Result<(), DbError> {
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
    let deltas = tally_of(items, decisions);
    // On their way together, in this order: what moved is deleted before it is made anew. All are
    // waited for, also when one fails, so that the connection can be kept; the first to fail is
    // the reason for those after it.
    let (stored, removed, inserted, counted) = tokio::join!(
        biased;
        upsert_appointments(tx, shard, items, decisions),
        remove_intents(tx, shard, &gone),
        insert_intents(tx, shard, items, decisions),
        tally::append(tx, shard, &deltas),
    );
    stored.and(removed).and(inserted).and(counted)
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

fn count_fates(decisions: &[Decision], due_now: obs::fate::DueNow) {
    let mut expected = 0;
    for decision in decisions {
        expected += decision.insert.len() as u64;
        due_now.planned(decision.insert.iter().map(|due| due.due_at));
        for (intent, why) in &decision.suppress {
            obs::fate::add(fate_of(*why), 1);
            due_now.ended(intent.due_at, 1);
        }
        // Its new promise counts by itself.
        for intent in &decision.delete {
            due_now.ended(intent.due_at, 1);
        }
    }
    obs::fate::add(Fate::Expected, expected);
}

/// Puts the answers back where their jobs wait for them.
fn in_callers_order(jobs: &[Work], items: &[Item<'_>], decisions: Vec<Decision>) -> Vec<Vec<Done>> {
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
