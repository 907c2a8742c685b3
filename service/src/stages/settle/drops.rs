//! Promises that texts have lost. A change that came in time has ended its promise itself; one
//! that came too late for its text, which then could not be sent after all, has not, and its
//! promise ends here.

use contract::Query;
use jiff::Timestamp;
use jiff::civil::Date;

use super::{Completion, Ending, LostMember, Work};
use crate::db::intents::{self, Ended};
use crate::db::tally::TallyDelta;
use crate::db::{DbError, Tx, weeks};

/// A promise that is still to be ended, locked.
pub(super) struct Open<'a> {
    /// Where in the batch its text is.
    pub(super) place: usize,
    work: &'a Work,
    drop: &'a LostMember,
    plan_version: i64,
}

/// The members that an ending says a text has lost.
pub(super) const fn of(ending: &Ending) -> &[LostMember] {
    match ending {
        Ending::Suppressed(_, drops) | Ending::Amended(_, drops) => drops.as_slice(),
        Ending::Answered(_)
        | Ending::Expired
        | Ending::Closed(_)
        | Ending::Aside(_)
        | Ending::Accepted { .. }
        | Ending::Found { .. }
        | Ending::NotAccepted
        | Ending::Refused(_)
        | Ending::StillUnknown(_)
        | Ending::GivenUp => &[],
    }
}

/// Locks the promises that nobody has ended, in key order and before any lane.
pub(super) async fn lock<'a>(
    tx: &Tx<'_>,
    shard: i16,
    batch: &'a [Completion],
) -> Result<Vec<Open<'a>>, DbError> {
    let lost: Vec<(usize, &Work, &LostMember)> = batch
        .iter()
        .enumerate()
        .flat_map(|(place, completion)| {
            of(&completion.ending).iter().map(move |drop| (place, &completion.work, drop))
        })
        .collect();
    let days: Vec<Date> = lost.iter().map(|(_, work, _)| work.local_day).collect();
    let Some((first, last)) = weeks::span(&days) else {
        return Ok(Vec::new());
    };
    let practices: Vec<i64> = lost.iter().map(|(_, work, _)| work.practice_id).collect();
    let ids: Vec<&str> = lost.iter().map(|(.., drop)| drop.appointment_id.as_str()).collect();
    let rules: Vec<i16> = lost.iter().map(|(_, work, _)| work.rule_id).collect();
    let messages: Vec<i64> = lost.iter().map(|(_, work, _)| work.message_id).collect();
    let rows = tx
        .rows(
            Query::IntentDropLock,
            &[&shard, &days, &practices, &ids, &rules, &messages, &first, &last],
        )
        .await?;
    let open = rows.iter().filter_map(|row| {
        let position: i64 = row.get("position");
        let &(place, work, drop) = lost.get(usize::try_from(position - 1).ok()?)?;
        Some(Open { place, work, drop, plan_version: row.get("plan_version") })
    });
    Ok(open.collect())
}

/// How promises count that end here.
pub(super) fn deltas(open: &[Open<'_>]) -> Vec<TallyDelta> {
    let deltas = open.iter().map(|o| TallyDelta {
        practice_id: o.work.practice_id,
        local_day: o.work.local_day,
        rule_id: o.work.rule_id,
        fate: o.drop.reason.fate(),
        n: 1,
    });
    deltas.collect()
}

/// When promises were due that end here.
pub(super) fn due(open: &[Open<'_>]) -> impl Iterator<Item = Timestamp> {
    open.iter().map(|open| open.work.due_at)
}

/// Ends locked promises.
pub(super) async fn end(tx: &Tx<'_>, shard: i16, open: &[Open<'_>]) -> Result<(), DbError> {
    let ended = open.iter().map(|o| Ended {
        due_day: o.work.local_day,
        practice_id: o.work.practice_id,
        appointment_id: &o.drop.appointment_id,
        rule_id: o.work.rule_id,
        plan_version: o.plan_version,
        reason: o.drop.reason.stored(),
    });
    let touched = intents::suppress(tx, shard, &ended.collect::<Vec<_>>()).await?;
    debug_assert_eq!(touched, open.len() as u64, "the promises are locked");
    Ok(())
}
