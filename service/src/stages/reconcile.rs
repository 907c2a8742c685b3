//! Reconcile: compares what is promised with what is planned, a part of the practices a turn, so
//! that each promise is looked at once a round and the practices are spread over it by a hash.
//!
//! Belongs here: whose turn it is. Never here: what is compared (`crate::reconcile`).

use std::time::{Duration, Instant};

use contract::{Pool, Stage};
use jiff::Timestamp;

use super::{Shared, maintainer};
use crate::db::DbError;
use crate::obs;
use crate::reconcile::ledger;
use crate::reconcile::visit::{self, Refused, Seen, Turn};

/// A shard that is behind catches up by this part of a round a turn: never all practices at once.
const CATCH_UP: i64 = 20;

/// One turn of a shard. Another process may have had it just before: then there is nothing to do.
pub(super) async fn run_shard(shared: &Shared, shard: i16) -> Result<usize, DbError> {
    let started = Instant::now();
    let app = &shared.app;
    let round = app.config.reconcile_round_ms;
    let now = app.clock.real_now();
    let mut conn = app.db.get_for(Stage::Reconcile, Pool::Upkeep).await?;
    let Some(since) = since(&mut conn, shard).await? else { return Ok(0) };
    drop(conn); // none is held while a replica compares
    let (mut promises, mut until) = (0, since);
    if let Some(part) = Part::due(since, now, round) {
        let each = |looked: Result<Seen, Refused>| match looked {
            Ok(seen) => {
                tell(shard, &seen);
                promises += usize::try_from(seen.promises).unwrap_or(usize::MAX);
            }
            Err(Refused { practice_id, why, as_of: _ }) => {
                obs::stage::failed(Stage::Reconcile, 1);
                tracing::error!(shard, practice_id, %why, "a practice can't be compared");
            }
        };
        visit::look(&app.db, &app.clock, (shard, part.turn), None, each).await?;
        until = part.until;
    }
    let mut conn = app.db.get_for(Stage::Reconcile, Pool::Upkeep).await?;
    if until > since {
        advance(&mut conn, shard, since, until).await?;
    }
    let shards = shared.reconciled.set(shard, until.as_second().max(0));
    obs::law::reconciled_until(shards.into_iter().min().unwrap_or(0), round);
    let counts = shared.residuals.set(shard, ledger::counts(&conn, shard).await?);
    let sum = |kind: usize| counts.iter().map(|of_shard| of_shard[kind]).sum();
    obs::law::residuals(std::array::from_fn(sum));
    obs::stage::batch(Stage::Reconcile, promises, started.elapsed());
    Ok(1)
}

/// Says what a look found.
fn tell(shard: i16, seen: &Seen) {
    obs::law::reconciled(seen.promises);
    if let Some(first) = seen.named.first() {
        tracing::error!(
            shard,
            promises = seen.violations,
            first = %first,
            "promises are out of order; punctual reconcile names them, --repair mends them"
        );
    }
}

/// Until when the shard's practices have had their turns; none while somebody notes that.
async fn since(conn: &mut crate::db::Conn, shard: i16) -> Result<Option<Timestamp>, DbError> {
    let tx = conn.begin();
    let since = maintainer::lock_since(&tx, shard, Stage::Reconcile).await?;
    tx.rollback().await?;
    Ok(since)
}

/// Notes until when they have, unless somebody else has got further.
async fn advance(
    conn: &mut crate::db::Conn,
    shard: i16,
    since: Timestamp,
    until: Timestamp,
) -> Result<(), DbError> {
    let tx = conn.begin();
    if maintainer::lock_since(&tx, shard, Stage::Reconcile).await? != Some(since) {
        return tx.rollback().await;
    }
    maintainer::ran(&tx, shard, Stage::Reconcile, until).await?;
    tx.commit().await?;
    Ok(())
}

/// The practices whose turn it is, and the instant until which all have had theirs after it.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    turn: Turn,
    until: Timestamp,
}

impl Part {
    /// What has come due since the last turn, or a part of it; what is older than a round is looked
    /// at once. The slots follow real time, so that all processes agree on them.
    fn due(since: Timestamp, now: Timestamp, round: Duration) -> Option<Self> {
        let period = i64::from(Stage::Reconcile.spec().period_ms);
        let round_ms = i64::try_from(round.as_millis()).unwrap_or(i64::MAX);
        let slots = (round_ms / period).max(1);
        let slot_ms = round_ms / slots;
        let (last, current) = (since.as_millisecond() / slot_ms, now.as_millisecond() / slot_ms);
        let first = (last + 1).max(current - slots + 1);
        let count = (current - first + 1).min((slots / CATCH_UP).max(1));
        if count <= 0 {
            return None;
        }
        let until = Timestamp::from_millisecond((first + count - 1) * slot_ms).ok()?;
        let slot = |n: i64| i32::try_from(n).unwrap_or(i32::MAX);
        let turn =
            Turn { slots: slot(slots), first: slot(first.rem_euclid(slots)), count: slot(count) };
        Some(Self { turn, until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: Duration = Duration::from_secs(900);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn every_slot_has_its_turn_once_a_round() {
        let (mut since, mut seen) = (at(9_000), Vec::new());
        // A process that comes every five seconds and one that comes just after it.
        for now in (9_005..9_905).step_by(5).flat_map(|second| [second, second + 1]) {
            if let Some(Part { turn, until }) = Part::due(since, at(now), ROUND) {
                assert_eq!((turn.slots, turn.count), (180, 1));
                seen.push(turn.first);
                since = until;
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..180).collect::<Vec<_>>());
    }

    #[test]
    fn who_was_away_catches_up_a_part_at_a_time_and_looks_at_nothing_twice() {
        let (mut since, now, mut all) = (Timestamp::MIN, at(1_000_000_000), 0);
        let mut turns = 0;
        while let Some(Part { turn, until }) = Part::due(since, now, ROUND) {
            assert!(turn.count <= 9, "{turn:?}");
            (since, all, turns) = (until, all + turn.count, turns + 1);
        }
        assert_eq!((all, turns), (180, 20));
    }

    /// However its slot lies to its due time: between two looks at it there is no more than that.
    #[test]
    fn no_round_that_can_be_set_leaves_out_the_look_in_the_quarter_of_an_hour_before() {
        let settings = crate::config::settings();
        let setting = settings.iter().find(|setting| setting.name == "reconcile_round_ms").unwrap();
        let (least, most) = setting.within.unwrap();
        for round in [least, most / 2 + 1_234, most].map(Duration::from_millis) {
            let (mut since, mut looks) = (at(9_000), std::collections::BTreeMap::new());
            for now in (9_005..20_000).step_by(5) {
                while let Some(Part { turn, until }) = Part::due(since, at(now), round) {
                    for slot in turn.first..turn.first + turn.count {
                        let last = looks.insert(slot % turn.slots, now);
                        let between = last.map_or(0, |last| now - last);
                        assert!(between <= 900, "{round:?}: slot {slot} after {between} s");
                    }
                    since = until;
                }
            }
            assert!(looks.values().all(|last| 20_000 - last <= 900), "{round:?}: {looks:?}");
        }
    }

    #[test]
    fn a_round_of_a_second_looks_at_all_each_time() {
        let part = Part::due(at(10), at(12), Duration::from_secs(1)).unwrap();
        assert_eq!(part.turn, Turn { slots: 1, first: 0, count: 1 });
    }
}
