//! Resolve: asks the provider about deliveries whose answer was lost. Found, they were sent; not
//! found after the time in which the provider settles, they never were and are tried again. What
//! can't be found out stays ambiguous, and makes way when its appointment begins. Where asking may
//! send the text, as it repeats the try under its key, it is only asked while a claim would let the
//! text leave.

use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::{Pool, Query, Stage};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Row;

use super::Shared;
use super::codes::LANE_UNRESOLVED;
use super::settle::{Completion, Ending, Work, look_every};
use crate::db::DbError;
use crate::obs;
use crate::obs::exemplar::TraceId;
use crate::phone::Phone;
use crate::plan::opens_after;
use crate::provider::{Found, Look, Lost, Outgoing};

/// How long a look-up is nobody else's: longer than one takes, with its wait for a permit.
const OURS_FOR: Duration = Duration::from_secs(30);
/// The longest wait between look-ups that gave no answer.
const LOOK_LAST: SignedDuration = SignedDuration::from_secs(30);

/// A delivery to be looked up.
struct Case {
    work: Work,
    lost: Lost,
    /// When its answer was known to be lost.
    lost_at: Timestamp,
    expires_at: Timestamp,
    /// Its recipient wants it, and what it says is true.
    is_wanted: bool,
    /// What the provider said by itself in the meantime: a receipt proves that it took the text.
    known_ref: Option<String>,
}

/// One turn of a shard. Returns how many look-ups it began.
pub(super) async fn run_shard(shared: &Arc<Shared>, shard: i16) -> Result<usize, DbError> {
    let conn = shared.app.db.get_for(Stage::Resolve, Pool::Pipeline).await?;
    let row = conn.row_opt(Query::ResolveNext, &[&shard]).await?;
    drop(conn);
    let (count, next): (i64, Option<Timestamp>) =
        row.map_or((0, None), |row| (row.get(0), row.get(1)));
    let all = shared.ambiguous.set(shard, u64::try_from(count).unwrap_or(0));
    obs::law::ambiguous(all.iter().sum());
    if next.is_none_or(|next| next > shared.app.clock.real_now()) {
        return Ok(0);
    }
    let started = Instant::now();
    let cases = take(shared, shard).await?;
    let begun = cases.len();
    if begun > 0 {
        obs::stage::batch(Stage::Resolve, begun, started.elapsed());
    }
    for case in cases {
        // The stage is at rest when they are answered.
        let inside = shared.app.gates.of(Stage::Resolve).follow();
        let task = look(Arc::clone(shared), shard, case);
        shared.deliveries.run(Box::pin(async move {
            task.await;
            drop(inside);
        }));
    }
    Ok(begun)
}

/// Takes the look-ups that are due. The connection is given back before anybody is asked.
async fn take(shared: &Shared, shard: i16) -> Result<Vec<Case>, DbError> {
    let real_now = shared.app.clock.real_now();
    let ours_until = real_now + OURS_FOR;
    let batch_max = i64::from(Stage::Resolve.spec().batch_max);
    let mut conn = shared.app.db.get_for(Stage::Resolve, Pool::Pipeline).await?;
    let tx = conn.begin();
    let lanes = tx.rows(Query::ResolveLanes, &[&shard, &real_now, &batch_max, &ours_until]).await?;
    let practices: Vec<i64> = lanes.iter().map(|row| row.get("practice_id")).collect();
    let phones: Vec<i64> = lanes.iter().map(|row| row.get("phone")).collect();
    let heads = tx.rows(Query::ResolveHeads, &[&shard, &practices, &phones]).await?;
    tx.commit().await?;
    drop(conn);
    for lane in &lanes {
        let late = real_now.duration_since(lane.get::<_, Timestamp>("ready_at"));
        let late = Duration::try_from(late).unwrap_or(Duration::ZERO);
        obs::stage::lateness(Stage::Resolve, late);
    }
    let mut cases = Vec::with_capacity(heads.len());
    for head in &heads {
        let lane: (i64, i64) = (head.get("practice_id"), head.get("phone"));
        let token = lanes
            .iter()
            .find(|row| (row.get("practice_id"), row.get("phone")) == lane)
            .map(|row| row.get("token"));
        // The number that the try was sent from, whichever is the practice's by now.
        let numbers = (Phone::from_i64(lane.1), Phone::from_i64(head.get("sender")));
        if let (Some(token), (Some(to), Some(from))) = (token, numbers) {
            cases.push(case(shared, head, token, (to, from), ours_until));
        }
    }
    Ok(cases)
}

fn case(
    shared: &Shared,
    head: &Row,
    token: i64,
    (to, from): (Phone, Phone),
    lease_until: Timestamp,
) -> Case {
    let expires_at: Timestamp = head.get("expires_at");
    let work = Work {
        practice_id: head.get("practice_id"),
        phone: head.get("phone"),
        message_id: head.get("message_id"),
        token,
        lane_state: LANE_UNRESOLVED,
        attempts: head.get("attempts"),
        local_day: head.get::<_, Date>("local_day"),
        rule_id: head.get("rule_id"),
        members: head.get("members"),
        due_at: head.get("due_at"),
        expires_at: shared.app.clock.to_real(expires_at),
        lease_until,
    };
    Case {
        lost: Lost {
            outgoing: Outgoing {
                practice_id: work.practice_id,
                message_id: work.message_id,
                local_day: work.local_day,
                rule_id: work.rule_id,
                attempt_no: work.attempts,
                to,
                from,
                body: head.get("body"),
                trace: TraceId::from_random(rand::random()),
            },
            started_at: head.get("started_at"),
        },
        lost_at: head.get("lost_at"),
        expires_at,
        is_wanted: !head.get::<_, bool>("opted_out") && head.get::<_, bool>("is_true"),
        known_ref: head.get("provider_ref"),
        work,
    }
}

/// One look-up, from the question to the queue of results.
async fn look(shared: Arc<Shared>, shard: i16, case: Case) {
    let in_flight = obs::stage::in_flight(Stage::Resolve);
    let looked_at = shared.app.clock.real_now();
    let look = match &case.known_ref {
        Some(provider_ref) => Look::Accepted(vec![Found {
            provider_ref: provider_ref.clone(),
            accepted_at: case.lost.started_at,
        }]),
        None if may_ask(&shared, &case).await => shared.app.provider.look_up(&case.lost).await,
        None => Look::Unknown,
    };
    let look = match look {
        Look::Accepted(found) if case.known_ref.is_none() => {
            match not_taken(&shared, shard, &case.work, found).await {
                Ok(Some(found)) => Look::Accepted(vec![found]),
                Ok(None) => Look::NotFound,
                Err(error) => {
                    tracing::warn!(%error, shard, "resolve: the answer can't be judged now");
                    Look::Unknown
                }
            }
        }
        Look::Accepted(_) | Look::NotFound | Look::Refused(_) | Look::Unknown => look,
    };
    drop(in_flight);
    let now = Now {
        looked_at,
        real_now: shared.app.clock.real_now(),
        is_expired: shared.app.clock.domain_now() >= case.expires_at,
        settling: shared.app.config.provider_settling_ms,
        look_every: look_every(&shared),
        settles: shared.app.provider.settles(),
    };
    let ending = judge(look, case.lost.started_at, case.lost_at, &now);
    let completion = Completion::now(&shared.app.clock, case.work, ending);
    shared.settle.push(shard, vec![completion]);
}

/// Whether the provider may be asked now. Where that repeats the try, the text may leave by it: the
/// first one may never have been taken.
async fn may_ask(shared: &Shared, case: &Case) -> bool {
    let provider = &shared.app.provider;
    if provider.settles() {
        return true;
    }
    let domain_now = shared.app.clock.domain_now();
    let is_allowed = provider.allows(case.lost.outgoing.to);
    if !case.is_wanted || !is_allowed || domain_now >= case.expires_at {
        return false;
    }
    match shared.app.practices.get(case.work.practice_id).await {
        Ok(Some(now)) => opens_after(&now.newest, domain_now).is_none(),
        Ok(None) => false,
        Err(error) => {
            tracing::warn!(%error, "resolve: whether the practice is open can't be told now");
            false
        }
    }
}

/// The first of the texts found that no other text of this phone claims.
async fn not_taken(
    shared: &Shared,
    shard: i16,
    work: &Work,
    found: Vec<Found>,
) -> Result<Option<Found>, DbError> {
    let refs: Vec<&str> = found.iter().map(|found| found.provider_ref.as_str()).collect();
    let Work { practice_id, phone, message_id, .. } = work;
    let conn = shared.app.db.get_for(Stage::Resolve, Pool::Pipeline).await?;
    let rows =
        conn.rows(Query::ResolveTaken, &[&shard, practice_id, phone, message_id, &refs]).await?;
    drop(conn);
    let taken: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    Ok(found.into_iter().find(|found| !taken.contains(&found.provider_ref)))
}

/// What a look-up is judged by.
struct Now {
    looked_at: Timestamp,
    real_now: Timestamp,
    /// The appointment has begun.
    is_expired: bool,
    settling: Duration,
    look_every: Duration,
    /// "Not found" becomes final with time.
    settles: bool,
}

/// What a look-up means.
fn judge(look: Look, started_at: Timestamp, lost_at: Timestamp, now: &Now) -> Ending {
    match look {
        Look::Accepted(found) => match found.into_iter().next() {
            // The provider's clock shows whole seconds and may be behind.
            Some(Found { provider_ref, accepted_at }) => {
                Ending::Found { provider_ref, accepted_at: accepted_at.max(started_at) }
            }
            None => unknown(lost_at, now),
        },
        Look::NotFound if now.settles && now.looked_at >= lost_at + now.settling => {
            Ending::NotAccepted
        }
        // Where it is never believed, it is no better than no answer.
        Look::NotFound if !now.settles && now.is_expired => Ending::GivenUp,
        Look::NotFound => Ending::StillUnknown(now.real_now + now.look_every),
        Look::Refused(answer) => Ending::Refused(answer),
        Look::Unknown if now.is_expired => Ending::GivenUp,
        Look::Unknown => unknown(lost_at, now),
    }
}

/// Again later, the longer it takes the more seldom.
fn unknown(lost_at: Timestamp, now: &Now) -> Ending {
    let age = now.real_now.duration_since(lost_at);
    let least = SignedDuration::try_from(now.look_every).unwrap_or(LOOK_LAST);
    Ending::StillUnknown(now.real_now + (age / 4).clamp(least, LOOK_LAST.max(least)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn judged(look: Look, looked_at: i64, is_expired: bool, settles: bool) -> Ending {
        let now = Now {
            looked_at: at(looked_at),
            real_now: at(looked_at),
            is_expired,
            settling: Duration::from_secs(6),
            look_every: Duration::from_secs(2),
            settles,
        };
        judge(look, at(90), at(100), &now)
    }

    #[test]
    fn what_a_look_up_means() {
        let found = Found { provider_ref: "SM1".into(), accepted_at: at(89) };
        assert_eq!(
            judged(Look::Accepted(vec![found]), 102, false, true),
            Ending::Found { provider_ref: "SM1".into(), accepted_at: at(90) }
        );
        // Three looks, and only the one after the provider has settled is believed.
        assert_eq!(judged(Look::NotFound, 102, false, true), Ending::StillUnknown(at(104)));
        assert_eq!(judged(Look::NotFound, 104, true, true), Ending::StillUnknown(at(106)));
        assert_eq!(judged(Look::NotFound, 106, false, true), Ending::NotAccepted);
        assert_eq!(judged(Look::NotFound, 500, false, false), Ending::StillUnknown(at(502)));
        // Where it never is, it makes way all the same.
        assert_eq!(judged(Look::NotFound, 500, true, false), Ending::GivenUp);
        // No answer: more and more seldom, until the appointment begins.
        assert_eq!(judged(Look::Unknown, 102, false, true), Ending::StillUnknown(at(104)));
        assert_eq!(judged(Look::Unknown, 140, false, true), Ending::StillUnknown(at(150)));
        assert_eq!(judged(Look::Unknown, 900, false, true), Ending::StillUnknown(at(930)));
        assert_eq!(judged(Look::Unknown, 900, true, true), Ending::GivenUp);
    }
}
