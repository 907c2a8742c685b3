//! `GET /v1/practices/{practice_id}/days/{day}/counts`

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::{Fate, Read};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::db::router::Class;
use crate::http::{Problem, Request, Response};

/// A practice's reminders of one local day. Counts are reminders (one for each appointment and
/// rule), not texts: a text for a family counts once for each of its appointments.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CountsAnswer {
    #[schemars(with = "String")]
    day: Date,
    rules: Vec<RuleCounts>,
}

/// The counts of one rule. Expected is the sum of sent, suppressed, failed, expired, ambiguous and
/// pending; delivered, undelivered and replied are parts of sent.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RuleCounts {
    rule_id: i16,
    expected: i64,
    sent: i64,
    suppressed: SuppressedCounts,
    failed: i64,
    expired: i64,
    ambiguous: i64,
    pending: i64,
    delivered: i64,
    undelivered: i64,
    replied: i64,
}

/// Suppressed reminders by reason.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SuppressedCounts {
    cancelled: i64,
    moved: i64,
    opted_out: i64,
    not_allowed: i64,
}

/// Counts a day.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let practice_id = request.path.i64("practice_id")?;
    let day = request.path.date("day")?;
    let shard = app.practices.shard(practice_id);
    let mut reader = app.db.reader(Class::Report);
    let rows = reader.rows(Read::DailyCounts, &[&shard, &practice_id, &day]).await?;
    drop(reader);
    let mut counts: BTreeMap<i16, [i64; Fate::COUNT]> = BTreeMap::new();
    for row in &rows {
        let fate: i16 = row.get("fate");
        let of_rule = counts.entry(row.get("rule_id")).or_default();
        if let Some(cell) = usize::try_from(fate).ok().and_then(|fate| of_rule.get_mut(fate)) {
            *cell += row.get::<_, i64>("n");
        }
    }
    let rules = counts.into_iter().map(|(rule_id, n)| RuleCounts::of(rule_id, &n)).collect();
    Ok(Response::json(200, &CountsAnswer { day, rules }))
}

impl RuleCounts {
    fn of(rule_id: i16, n: &[i64; Fate::COUNT]) -> Self {
        let of = |fate: Fate| n[fate.index()];
        let ended: i64 =
            Fate::ALL.iter().filter(|fate| fate.ends_a_promise()).map(|fate| of(*fate)).sum();
        Self {
            rule_id,
            expected: of(Fate::Expected),
            sent: of(Fate::Sent),
            suppressed: SuppressedCounts {
                cancelled: of(Fate::SuppressedCancelled),
                moved: of(Fate::SuppressedMoved),
                opted_out: of(Fate::SuppressedOptedOut),
                not_allowed: of(Fate::SuppressedNotAllowed),
            },
            failed: of(Fate::Failed),
            expired: of(Fate::Expired),
            ambiguous: of(Fate::Ambiguous),
            pending: of(Fate::Expected) - ended,
            delivered: of(Fate::Delivered),
            undelivered: of(Fate::Undelivered),
            replied: of(Fate::Replied),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pending_is_what_is_left() {
        let mut n = [0; Fate::COUNT];
        n[Fate::Expected.index()] = 10;
        n[Fate::Sent.index()] = 6;
        n[Fate::SuppressedCancelled.index()] = 1;
        n[Fate::Delivered.index()] = 5;
        let counts = RuleCounts::of(1, &n);
        assert_eq!((counts.pending, counts.delivered), (3, 5));
    }
}
