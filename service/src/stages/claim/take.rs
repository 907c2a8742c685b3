//! The transaction of a claim. Lanes are leased by one statement; the next one, whose snapshot is
//! newer than those locks, looks at their appointments: a cancellation that was answered "in time"
//! before we had the lanes is seen, and one that comes later waits for us and finds them leased.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::{Pool, Query, Stage};
use jiff::Timestamp;
use jiff::civil::Date;

use super::amend::{Amended, amend, drops, leaves_on_another_day};
use super::singly;
use super::verdict::{Head, MemberNow, Now, Receipt, Verdict, judge, why};
use crate::db::{DbError, Tx, weeks};
use crate::obs;
use crate::obs::exemplar::TraceId;
use crate::obs::flight::{Flight, What};
use crate::obs::request::BatchScope;
use crate::phone::Phone;
use crate::plan::opens_after;
use crate::practice::{Practice, Revision};
use crate::provider::Outgoing;
use crate::stages::codes::{LANE_LEASED, Reason};
use crate::stages::deliver::Job;
use crate::stages::render::has_words;
use crate::stages::settle::{Completion, Ending, Work};
use crate::stages::{LOOK_EVERY, Shared};

/// What a claim took.
#[derive(Default)]
pub(in crate::stages) struct Claimed {
    /// Texts that go out, each with its try recorded.
    pub(in crate::stages) jobs: Vec<Job>,
    /// Texts that have ended without a try, or have to be worded anew.
    pub(in crate::stages) endings: Vec<Completion>,
    /// Lanes that were leased.
    pub(in crate::stages) lanes: usize,
    /// When the next lane is ready, if not as many were leased as asked for.
    pub(in crate::stages) next_ready: Option<Timestamp>,
}

/// A leased lane.
struct Lease {
    token: i64,
    ready_at: Timestamp,
}

/// Lanes that were leased together.
pub(super) struct Leased {
    /// By practice and phone.
    leases: HashMap<(i64, i64), Lease>,
    until: Timestamp,
}

impl Leased {
    pub(super) fn lanes(&self) -> usize {
        self.leases.len()
    }

    /// As what a head was taken; none if its lane isn't one of these.
    pub(super) fn work(&self, shared: &Shared, head: &Head) -> Option<Work> {
        let lease = self.leases.get(&(head.practice_id, head.phone))?;
        Some(work(shared, head, lease.token, self.until))
    }

    /// How late each lane was.
    fn lateness(&self, real_now: Timestamp) -> Vec<Duration> {
        let late = |lease: &Lease| Duration::try_from(real_now.duration_since(lease.ready_at));
        self.leases.values().map(|lease| late(lease).unwrap_or(Duration::ZERO)).collect()
    }
}

/// What the heads of the leased lanes are judged by.
struct Seen<'a> {
    leased: &'a Leased,
    /// Members whose promise in their text still holds, of those of whom it wasn't certain.
    held: HashSet<(i64, String)>,
    /// As they are now.
    practices: HashMap<i64, Arc<Practice>>,
}

/// Claims from a shard, at most so many lanes. What it did is a part of each text's flight.
pub(in crate::stages) async fn claim_batch(
    shared: &Arc<Shared>,
    shard: i16,
    lanes_max: usize,
) -> Result<Claimed, DbError> {
    let batch = BatchScope::begin(Stage::Claim);
    let work = async {
        match claim(shared, shard, lanes_max).await {
            Err(error) if error.is_of_the_rows() => {
                // In a box, so that those to whom it doesn't happen don't carry it.
                Box::pin(singly::claim(shared, shard, lanes_max, &error)).await
            }
            claimed => claimed,
        }
    };
    let mut claimed = batch.run(Box::pin(work)).await?;
    let done = batch.done(claimed.lanes);
    let committed_at = Instant::now();
    for job in &mut claimed.jobs {
        done.add_to(&job.flight, job.flight.began());
        job.claimed_at = committed_at;
    }
    Ok(claimed)
}

async fn claim(shared: &Arc<Shared>, shard: i16, lanes_max: usize) -> Result<Claimed, DbError> {
    let started = Instant::now();
    let real_now = shared.app.clock.real_now();
    let mut conn = shared.app.db.get_for(Stage::Claim, Pool::Pipeline).await?;
    let tx = conn.begin();
    let leased = lease(shared, &tx, shard, lanes_max, real_now).await?;
    let mut claimed = Claimed { lanes: leased.lanes(), ..Claimed::default() };
    if claimed.lanes > 0 {
        let heads = read_heads(&tx, shard, &leased).await?;
        decide(shared, &tx, shard, heads, &leased, &mut claimed).await?;
    }
    if claimed.lanes < lanes_max {
        let row = tx.row_opt(Query::LaneNext, &[&shard]).await?;
        claimed.next_ready = row.map(|row| row.get(0));
    }
    tx.commit().await?;
    drop(conn);
    observe(&leased, &claimed, real_now, started);
    Ok(claimed)
}

/// Leases ready lanes of a shard, at most so many.
pub(super) async fn lease(
    shared: &Shared,
    tx: &Tx<'_>,
    shard: i16,
    lanes_max: usize,
    real_now: Timestamp,
) -> Result<Leased, DbError> {
    let until = real_now + shared.app.provider.lease();
    let limit = i64::try_from(lanes_max).unwrap_or(i64::MAX);
    let rows = tx.rows(Query::ClaimLanes, &[&shard, &real_now, &limit, &until]).await?;
    let leases = rows.iter().map(|row| {
        let lane = (row.get("practice_id"), row.get("phone"));
        (lane, Lease { token: row.get("token"), ready_at: row.get("ready_at") })
    });
    Ok(Leased { leases: leases.collect(), until })
}

/// Decides on the heads of leased lanes, and records the tries of those that go out.
pub(super) async fn decide(
    shared: &Arc<Shared>,
    tx: &Tx<'_>,
    shard: i16,
    heads: Vec<Head>,
    leased: &Leased,
    claimed: &mut Claimed,
) -> Result<(), DbError> {
    let held = ask_intents(tx, shard, &heads).await?;
    let worded: Vec<(i64, i32)> = heads.iter().map(|h| (h.practice_id, h.revision)).collect();
    let practices = shared.app.practices.newest(tx, shard, &worded).await?;
    let seen = Seen { leased, held, practices };
    let amended = sort(shared, shard, heads, &seen, claimed)?;
    amend(shared, tx, shard, amended, claimed).await?;
    record_attempts(shared, tx, shard, &claimed.jobs).await
}

/// Notes what was committed.
pub(super) fn observe(leased: &Leased, claimed: &Claimed, real_now: Timestamp, started: Instant) {
    if leased.lanes() == 0 {
        return;
    }
    obs::stage::batch(Stage::Claim, leased.lanes(), started.elapsed());
    let is_closed = |ending: &&Completion| matches!(ending.ending, Ending::Closed(_));
    obs::law::closed(claimed.endings.iter().filter(is_closed).count() as u64);
    for late in leased.lateness(real_now) {
        obs::stage::lateness(Stage::Claim, late);
    }
}

pub(super) async fn read_heads(
    tx: &Tx<'_>,
    shard: i16,
    leased: &Leased,
) -> Result<Vec<Head>, DbError> {
    let mut lanes: Vec<(i64, i64)> = leased.leases.keys().copied().collect();
    lanes.sort_unstable();
    let (practices, phones): (Vec<i64>, Vec<i64>) = lanes.into_iter().unzip();
    let rows = tx.rows(Query::ClaimHeads, &[&shard, &practices, &phones]).await?;
    if rows.len() != leased.lanes() {
        // Impossible while whoever empties a lane also deletes it; the lease would never end.
        tracing::error!(shard, lanes = leased.lanes(), heads = rows.len(), "a lane has no head");
    }
    Ok(rows.iter().map(Head::from).collect())
}

/// Members whose promise in their text still holds, of those of whom it isn't certain.
async fn ask_intents(
    tx: &Tx<'_>,
    shard: i16,
    heads: &[Head],
) -> Result<HashSet<(i64, String)>, DbError> {
    let asked: Vec<(&Head, &MemberNow)> =
        heads.iter().flat_map(|head| head.doubtful().map(move |member| (head, member))).collect();
    let days: Vec<Date> = asked.iter().map(|(head, _)| head.local_day).collect();
    let Some((first, last)) = weeks::span(&days) else {
        return Ok(HashSet::new());
    };
    let practices: Vec<i64> = asked.iter().map(|(head, _)| head.practice_id).collect();
    let ids: Vec<&str> = asked.iter().map(|(_, m)| m.appointment_id.as_str()).collect();
    let rules: Vec<i16> = asked.iter().map(|(head, _)| head.rule_id).collect();
    let messages: Vec<i64> = asked.iter().map(|(head, _)| head.message_id).collect();
    let rows = tx
        .rows(
            Query::ClaimIntents,
            &[&shard, &days, &practices, &ids, &rules, &messages, &first, &last],
        )
        .await?;
    let held = rows.iter().filter_map(|row| {
        let position: i64 = row.get("position");
        let (head, member) = asked.get(usize::try_from(position - 1).ok()?)?;
        Some((head.message_id, member.appointment_id.clone()))
    });
    Ok(held.collect())
}

/// Decides on each head and makes of it what comes next; returns those that are worded anew.
fn sort(
    shared: &Arc<Shared>,
    shard: i16,
    heads: Vec<Head>,
    seen: &Seen<'_>,
    claimed: &mut Claimed,
) -> Result<Vec<Amended>, DbError> {
    let domain_now = shared.app.clock.domain_now();
    let mut amended = Vec::new();
    for head in heads {
        let lane = (head.practice_id, head.phone);
        let Some(lease) = seen.leased.leases.get(&lane) else { continue };
        let work = work(shared, &head, lease.token, seen.leased.until);
        let to = Phone::from_i64(head.phone);
        let practice = &seen.practices[&head.practice_id];
        let now = Now {
            domain_now,
            is_allowed: to.is_some_and(|to| shared.app.provider.allows(to)),
            opens_at: opens_after(&practice.newest, domain_now),
            has_newer_words: head.revision < practice.newest.revision
                && has_words(practice, head.rule_id),
        };
        let holds =
            |m: &MemberNow| seen.held.contains(&(head.message_id, m.appointment_id.clone()));
        let ending = match (judge(&head, holds, now), to) {
            (Verdict::Send, Some(to)) => {
                let flight = Arc::new(flight(shared, lease, &head));
                let route = (sender(practice)?, to);
                let settings = Arc::clone(&practice.newest);
                let is_late = leaves_on_another_day(&head, &settings, domain_now);
                let late = is_late.then(|| head.clone());
                let job = job(shard, head, work, route, (settings, flight));
                match late {
                    // Its "tomorrow" may be today by now.
                    Some(head) => {
                        let kept = (0..head.members.len()).collect();
                        let as_is = Some(job);
                        amended.push(Amended { head, kept, work, have_begun: false, as_is });
                    }
                    None => claimed.jobs.push(job),
                }
                continue;
            }
            (Verdict::Amend(kept), _) => {
                amended.push(Amended { head, kept, work, have_begun: false, as_is: None });
                continue;
            }
            (Verdict::Begun(kept), _) => {
                amended.push(Amended { head, kept, work, have_begun: true, as_is: None });
                continue;
            }
            (Verdict::Send, None) => Ending::Suppressed(Reason::NotAllowed, Vec::new()),
            (Verdict::Lost, _) => {
                let drops = drops(&head, |_| true, why);
                let reason = drops.iter().map(|drop| drop.reason).max();
                Ending::Suppressed(reason.unwrap_or(Reason::Moved), drops)
            }
            (Verdict::Accepted(Receipt { provider_ref, came_at }), _) => {
                Ending::Accepted { provider_ref, came_at }
            }
            (Verdict::Expire, _) => Ending::Expired,
            (Verdict::Suppress(reason), _) => Ending::Suppressed(reason, Vec::new()),
            (Verdict::Wait(until), _) => {
                Ending::Closed(shared.app.clock.look_for(until, LOOK_EVERY))
            }
        };
        claimed.endings.push(Completion::now(&shared.app.clock, work, ending));
    }
    Ok(amended)
}

/// The number that a practice's texts come from now.
fn sender(practice: &Practice) -> Result<Phone, DbError> {
    Phone::from_i64(practice.sender).ok_or_else(|| DbError::Refused {
        query: Query::PracticeRead.name(),
        code: "client".into(),
        message: format!("practice {} has no valid sender", practice.newest.practice_id),
    })
}

fn work(shared: &Shared, head: &Head, token: i64, lease_until: Timestamp) -> Work {
    Work {
        practice_id: head.practice_id,
        phone: head.phone,
        message_id: head.message_id,
        token,
        lane_state: LANE_LEASED,
        attempts: head.attempts,
        local_day: head.local_day,
        rule_id: head.rule_id,
        members: i32::try_from(head.members.len()).unwrap_or(i32::MAX),
        due_at: head.due_at,
        expires_at: shared.app.clock.to_real(head.begins_at()),
        lease_until,
    }
}

/// A text's flight begins when it is due, and that of another try when its lane is ready.
fn flight(shared: &Shared, lease: &Lease, head: &Head) -> Flight {
    let clock = &shared.app.clock;
    let (now, real_now) = (Instant::now(), clock.real_now());
    let instant = |at: Timestamp| {
        let ago = Duration::try_from(real_now.duration_since(at)).unwrap_or_default();
        now.checked_sub(ago).unwrap_or(now)
    };
    let ready = instant(lease.ready_at);
    let due =
        if head.attempts == 0 { instant(clock.to_real(head.due_at)).min(ready) } else { ready };
    let flight = Flight::new(TraceId::from_random(rand::random()), due);
    if due < ready {
        flight.between(What::Wait(Stage::Release), due, ready, 0);
    }
    flight
}

fn job(
    shard: i16,
    head: Head,
    work: Work,
    (from, to): (Phone, Phone),
    (settings, flight): (Arc<Revision>, Arc<Flight>),
) -> Job {
    let attempt_no = head.attempts + 1;
    Job {
        shard,
        work: Work { attempts: attempt_no, ..work },
        outgoing: Outgoing {
            practice_id: head.practice_id,
            message_id: head.message_id,
            local_day: head.local_day,
            rule_id: head.rule_id,
            attempt_no,
            to,
            from,
            body: head.body,
            trace: flight.trace(),
        },
        settings,
        flight,
        claimed_at: Instant::now(),
    }
}

/// Records tries before they begin.
async fn record_attempts(
    shared: &Shared,
    tx: &Tx<'_>,
    shard: i16,
    jobs: &[Job],
) -> Result<(), DbError> {
    if jobs.is_empty() {
        return Ok(());
    }
    let days: Vec<Date> = jobs.iter().map(|job| job.work.local_day).collect();
    weeks::attach_tries(tx, shared.app.clock.domain_now(), &days).await?;
    let real_now = shared.app.clock.real_now();
    let practices: Vec<i64> = jobs.iter().map(|job| job.work.practice_id).collect();
    let messages: Vec<i64> = jobs.iter().map(|job| job.work.message_id).collect();
    let numbers: Vec<i16> = jobs.iter().map(|job| job.work.attempts).collect();
    let tokens: Vec<i64> = jobs.iter().map(|job| job.work.token).collect();
    let senders: Vec<i64> = jobs.iter().map(|job| job.outgoing.from.as_i64()).collect();
    tx.execute(
        Query::AttemptInsert,
        &[&shard, &real_now, &days, &practices, &messages, &numbers, &tokens, &senders],
    )
    .await?;
    Ok(())
}
