//! What a comparison leaves behind: a residual for each text of which the lists differ, so that
//! every process, the live page, the reports and the alert say it until a later comparison finds
//! the text in order, or whoever runs a repair was told; and until when was compared, so that
//! somebody hears when nobody does any more.
//!
//! Never here: comparing.

use contract::{Pool, Query, Read, ResidualKind, shard_of};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::visit::first_day;
use super::super::{NAMED_MAX, Residual, ledger, reason_of};
use super::tries::Tries;
use super::{Comparison, Sides, Surplus};
use crate::db::DbError;
use crate::db::router::Class;

/// Known to the provider alone, as `residual.reason` stores it.
const NOT_KNOWN: &str = "k";

/// Notes what was found.
pub(super) async fn note(
    sides: &Sides<'_>,
    found: &Comparison,
    tries: &Tries,
) -> Result<(), DbError> {
    let since = first_day(sides.clock.domain_now());
    for shard in 0..sides.shard_count {
        let mut differing = unlisted(sides, shard, found).await?;
        let here = |text: &&Surplus| shard_of(text.practice_id, sides.shard_count) == shard;
        let not_known = found.surplus_texts.iter().filter(here);
        differing.extend(not_known.map(|text| of_surplus(sides, text)));
        let mut conn = sides.db.get(Pool::Upkeep).await?;
        let (_, open) = ledger::passed(&conn, shard, since).await?;
        let agreed: Vec<&str> = open
            .iter()
            .filter_map(|residual| residual.provider_ref.as_deref())
            .filter(|provider_ref| tries.agrees(provider_ref))
            .collect();
        if !differing.is_empty() || !agreed.is_empty() {
            let real_now = sides.clock.real_now();
            ledger::differ(&mut conn, shard, (&differing, &agreed), real_now).await?;
        }
    }
    Ok(())
}

/// Notes until when the lists were compared. What lies ahead was not.
pub(super) async fn until(sides: &Sides<'_>, until: Timestamp) -> Result<(), DbError> {
    let until = until.min(sides.clock.real_now());
    let conn = sides.db.get(Pool::Upkeep).await?;
    conn.execute(Query::DeploymentCompared, &[&until]).await?;
    Ok(())
}

/// The promises of a shard's texts that the provider doesn't list.
async fn unlisted(
    sides: &Sides<'_>,
    shard: i16,
    found: &Comparison,
) -> Result<Vec<Residual>, DbError> {
    let missing: Vec<_> = found
        .missing_texts
        .iter()
        .filter(|text| shard_of(text.practice_id, sides.shard_count) == shard)
        .collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let practices: Vec<i64> = missing.iter().map(|text| text.practice_id).collect();
    let messages: Vec<i64> = missing.iter().map(|text| text.message_id).collect();
    let refs: Vec<&str> = missing.iter().map(|text| text.provider_ref.as_str()).collect();
    let mut reader = sides.db.reader(Class::Report);
    let rows = reader
        .rows(Read::ReconcileUnlisted, &[&shard, &practices, &messages, &refs, &NAMED_MAX])
        .await?;
    Ok(rows.iter().filter_map(Residual::of_row).collect())
}

fn of_surplus(sides: &Sides<'_>, text: &Surplus) -> Residual {
    let at = sides.clock.pace().domain_at(text.accepted_at);
    Residual {
        practice_id: text.practice_id,
        appointment_id: String::new(),
        rule_id: 0,
        day: at.to_zoned(TimeZone::UTC).date(),
        kind: ResidualKind::Surplus,
        reason: reason_of(NOT_KNOWN),
        starts_at: at,
        due_at: at,
        closes_at: at,
        provider_ref: Some(text.provider_ref.clone()),
        plan_version: 0,
        reason_code: NOT_KNOWN.into(),
    }
}
