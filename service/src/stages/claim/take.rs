//! The transaction of a claim. Lanes are leased by one statement; the next one, whose snapshot is
//! newer than those locks, looks at their appointments: a cancellation that was answered "in time"
//! before we had the lanes is seen, and one that comes later waits for us and finds them leased.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::{Pool, Query, Stage};
use jiff::Timestamp;
use jiff::civil::Date;

use super::verdict::{Head, MemberNow, Verdict, judge, why};
use crate::db::{DbError, Tx, weeks};
use crate::obs;
use crate::obs::exemplar::TraceId;
use crate::obs::flight::Flight;
use crate::obs::request::BatchScope;
use crate::phone::Phone;
use crate::provider::Outgoing;
use crate::stages::Shared;
use crate::stages::codes::{LANE_LEASED, Reason};
use crate::stages::deliver::Job;
use crate::stages::render::{Draft, Rewritten, members, render};
use crate::stages::settle::{Completion, Ending, LostMember, Work};
use crate::text::Member;

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

/// Claims from a shard, at most so many lanes. What it did is a part of each text's flight.
pub(in crate::stages) async fn claim_batch(
    shared: &Arc<Shared>,
    shard: i16,
    lanes_max: usize,
) -> Result<Claimed, DbError> {
    let batch = BatchScope::begin(Stage::Claim);
    let mut claimed = batch.run(Box::pin(claim(shared, shard, lanes_max))).await?;
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
    let clock = &shared.app.clock;
    let real_now = clock.real_now();
    let lease_until = real_now + shared.app.provider.lease();
    let limit = i64::try_from(lanes_max).unwrap_or(i64::MAX);
    let mut conn = shared.app.db.get_for(Stage::Claim, Pool::Pipeline).await?;
    let tx = conn.begin();
    let rows = tx.rows(Query::ClaimLanes, &[&shard, &real_now, &limit, &lease_until]).await?;
    let leases: HashMap<(i64, i64), Lease> = rows
        .iter()
        .map(|row| {
            let lane = (row.get("practice_id"), row.get("phone"));
            (lane, Lease { token: row.get("token"), ready_at: row.get("ready_at") })
        })
        .collect();
    let mut claimed = Claimed { lanes: leases.len(), ..Claimed::default() };
    if !leases.is_empty() {
        let mut heads = read_heads(&tx, shard, &leases).await?;
        let held = ask_intents(&tx, shard, &heads).await?;
        sort(shared, &tx, shard, &mut heads, &held, &leases, lease_until, &mut claimed).await?;
        record_attempts(&tx, shard, &claimed.jobs, clock.real_now()).await?;
    }
    if claimed.lanes < lanes_max {
        let row = tx.row_opt(Query::LaneNext, &[&shard]).await?;
        claimed.next_ready = row.map(|row| row.get(0));
    }
    tx.commit().await?;
    drop(conn);
    if claimed.lanes > 0 {
        obs::stage::batch(Stage::Claim, claimed.lanes, started.elapsed());
        for lease in leases.values() {
            let late = Duration::try_from(real_now.duration_since(lease.ready_at));
            obs::stage::lateness(Stage::Claim, late.unwrap_or(Duration::ZERO));
        }
    }
    Ok(claimed)
}

async fn read_heads(
    tx: &Tx<'_>,
    shard: i16,
    leases: &HashMap<(i64, i64), Lease>,
) -> Result<Vec<Head>, DbError> {
    let mut lanes: Vec<(i64, i64)> = leases.keys().copied().collect();
    lanes.sort_unstable();
    let (practices, phones): (Vec<i64>, Vec<i64>) = lanes.into_iter().unzip();
    let rows = tx.rows(Query::ClaimHeads, &[&shard, &practices, &phones]).await?;
    if rows.len() != leases.len() {
        // Impossible while whoever empties a lane also deletes it; the lease would never end.
        tracing::error!(shard, lanes = leases.len(), heads = rows.len(), "a lane has no head");
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

/// Decides on each head and makes of it what comes next.
#[expect(clippy::too_many_arguments, reason = "one call, split off for its length alone")]
async fn sort(
    shared: &Arc<Shared>,
    tx: &Tx<'_>,
    shard: i16,
    heads: &mut Vec<Head>,
    held: &HashSet<(i64, String)>,
    leases: &HashMap<(i64, i64), Lease>,
    lease_until: Timestamp,
    claimed: &mut Claimed,
) -> Result<(), DbError> {
    let domain_now = shared.app.clock.domain_now();
    let mut amended: Vec<(Head, Vec<usize>, Work)> = Vec::new();
    for head in heads.drain(..) {
        let Some(lease) = leases.get(&(head.practice_id, head.phone)) else { continue };
        let work = work(&head, lease.token, lease_until);
        let to = Phone::from_i64(head.phone);
        let is_allowed = to.is_some_and(|to| shared.app.provider.allows(to));
        let holds = |m: &MemberNow| held.contains(&(head.message_id, m.appointment_id.clone()));
        match (judge(&head, holds, domain_now, is_allowed), to) {
            (Verdict::Send, Some(to)) => {
                let flight = Arc::new(flight(shared, lease));
                claimed.jobs.push(job(shared, shard, head, work, to, flight).await?);
            }
            (Verdict::Send, None) => {
                let ending = Ending::Suppressed(Reason::NotAllowed, Vec::new());
                claimed.endings.push(Completion::now(&shared.app.clock, work, ending));
            }
            (Verdict::Amend(kept), _) => amended.push((head, kept, work)),
            (Verdict::Lost, _) => {
                let drops = drops(&head, |_| true);
                let reason = drops.iter().map(|drop| drop.reason).max();
                let ending = Ending::Suppressed(reason.unwrap_or(Reason::Moved), drops);
                claimed.endings.push(Completion::now(&shared.app.clock, work, ending));
            }
            (Verdict::Expire, _) => {
                claimed.endings.push(Completion::now(&shared.app.clock, work, Ending::Expired));
            }
            (Verdict::Suppress(reason), _) => {
                let ending = Ending::Suppressed(reason, Vec::new());
                claimed.endings.push(Completion::now(&shared.app.clock, work, ending));
            }
        }
    }
    amend(shared, tx, shard, amended, claimed).await
}

fn work(head: &Head, token: i64, lease_until: Timestamp) -> Work {
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
        lease_until,
    }
}

/// A text's flight begins when its lane is ready.
fn flight(shared: &Shared, lease: &Lease) -> Flight {
    let waited = shared.app.clock.real_now().duration_since(lease.ready_at);
    let (now, waited) = (Instant::now(), Duration::try_from(waited).unwrap_or_default());
    let trace = TraceId::from_random(rand::random());
    Flight::new(trace, now.checked_sub(waited).unwrap_or(now))
}

async fn job(
    shared: &Shared,
    shard: i16,
    head: Head,
    work: Work,
    to: Phone,
    flight: Arc<Flight>,
) -> Result<Job, DbError> {
    let revision = shared.app.practices.revision(head.practice_id, head.revision).await?;
    let attempt_no = head.attempts + 1;
    Ok(Job {
        shard,
        work: Work { attempts: attempt_no, ..work },
        outgoing: Outgoing {
            practice_id: head.practice_id,
            message_id: head.message_id,
            attempt_no,
            to,
            from: Phone::from_i64(revision.sender).ok_or_else(|| DbError::Refused {
                query: Query::PracticeRead.name(),
                code: "client".into(),
                message: format!("practice {} has no valid sender", head.practice_id),
            })?,
            body: head.body,
            trace: flight.trace(),
        },
        flight,
        claimed_at: Instant::now(),
    })
}

/// The members that a text loses.
fn drops(head: &Head, is_lost: impl Fn(usize) -> bool) -> Vec<LostMember> {
    head.members
        .iter()
        .enumerate()
        .filter(|(at, _)| is_lost(*at))
        .map(|(_, member)| LostMember {
            appointment_id: member.appointment_id.clone(),
            reason: why(member),
        })
        .collect()
}

/// Words texts anew that lost some of their appointments. They are stored by settle, together with
/// the end of the promises that were lost.
async fn amend(
    shared: &Shared,
    tx: &Tx<'_>,
    shard: i16,
    amended: Vec<(Head, Vec<usize>, Work)>,
    claimed: &mut Claimed,
) -> Result<(), DbError> {
    for (head, kept, work) in amended {
        let kept_members: Vec<&MemberNow> = kept.iter().map(|&at| &head.members[at]).collect();
        let practices = vec![head.practice_id; kept.len()];
        let ids: Vec<&str> = kept_members.iter().map(|m| m.appointment_id.as_str()).collect();
        let details = members(tx, shard, &practices, &ids).await?;
        let told = kept_members.iter().zip(&details).map(|(member, details)| Member {
            patient_name: &details.patient_name,
            instructions: &details.instructions,
            starts_at: member.starts_at,
        });
        let draft = Draft {
            practice_id: head.practice_id,
            revision: head.revision,
            rule_id: head.rule_id,
            local_day: head.local_day,
            members: told.collect(),
        };
        let Some(text) = render(shared, std::slice::from_ref(&draft)).await?.pop() else {
            continue;
        };
        let starts_at: Vec<Timestamp> = kept_members.iter().map(|m| m.starts_at).collect();
        let rewritten = Rewritten {
            practice_id: head.practice_id,
            phone: head.phone,
            message_id: head.message_id,
            revision: head.revision,
            due_at: head.due_at,
            expires_at: starts_at.iter().copied().min().unwrap_or(head.expires_at),
            appointment_ids: ids.iter().map(|&id| id.to_owned()).collect(),
            starts_at,
            text,
        };
        let drops = drops(&head, |at| !kept.contains(&at));
        let ending = Ending::Amended(Box::new(rewritten), drops);
        claimed.endings.push(Completion::now(&shared.app.clock, work, ending));
    }
    Ok(())
}

/// Records tries before they begin.
async fn record_attempts(
    tx: &Tx<'_>,
    shard: i16,
    jobs: &[Job],
    real_now: Timestamp,
) -> Result<(), DbError> {
    if jobs.is_empty() {
        return Ok(());
    }
    let days: Vec<Date> = jobs.iter().map(|job| job.work.local_day).collect();
    let practices: Vec<i64> = jobs.iter().map(|job| job.work.practice_id).collect();
    let messages: Vec<i64> = jobs.iter().map(|job| job.work.message_id).collect();
    let numbers: Vec<i16> = jobs.iter().map(|job| job.work.attempts).collect();
    let tokens: Vec<i64> = jobs.iter().map(|job| job.work.token).collect();
    tx.execute(
        Query::AttemptInsert,
        &[&shard, &real_now, &days, &practices, &messages, &numbers, &tokens],
    )
    .await?;
    Ok(())
}
