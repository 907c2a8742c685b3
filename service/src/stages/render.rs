//! Render: the words of a text and how many segments they take, before it enters its lane, so that
//! only handing over is left to be done in order. Also where a text gets other words: when it
//! takes in an appointment, when it lost one, and when its practice has other words for it by now.
//!
//! Whichever revision promised a text, the newest one words it. A rule that is not there any more
//! has no newer words: what was promised under it keeps its own, until planning takes it back.

use std::sync::Arc;
use std::time::Instant;

use contract::{Query, Stage};
use jiff::Timestamp;

use super::Shared;
use crate::db::{DbError, Tx};
use crate::obs;
use crate::practice::{Practice, Revision};
use crate::text::{Member, Text};

/// A text to be rendered.
pub(super) struct Draft<'a> {
    /// Whose.
    pub(super) practice_id: i64,
    /// The newest of its settings that it was promised or worded under. They have its rule.
    pub(super) revision: i32,
    /// Under which rule.
    pub(super) rule_id: i16,
    /// When it is due. It leaves then, or now if that is past: that day is "today" in it.
    pub(super) due_at: Timestamp,
    /// Its appointments, earliest first.
    pub(super) members: Vec<Member<'a>>,
}

/// A rendered text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wording {
    pub(super) text: Text,
    /// Under which of its practice's settings it was worded.
    pub(super) revision: i32,
}

/// Renders texts of a shard, in their order.
pub(super) async fn render(
    shared: &Shared,
    tx: &Tx<'_>,
    shard: i16,
    drafts: &[Draft<'_>],
) -> Result<Vec<Wording>, DbError> {
    if drafts.is_empty() {
        return Ok(Vec::new());
    }
    let started = Instant::now();
    let in_flight = obs::stage::in_flight(Stage::Render);
    let wanted: Vec<(i64, i32)> = drafts.iter().map(|d| (d.practice_id, d.revision)).collect();
    let practices = shared.app.practices.newest(tx, shard, &wanted).await?;
    let domain_now = shared.app.clock.domain_now();
    let mut wordings = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let practice = &practices[&draft.practice_id];
        let settings = settings_of(shared, tx, shard, practice, draft).await?;
        let leaves_at = draft.due_at.max(domain_now);
        let today = leaves_at.to_zoned(settings.timezone.clone()).date();
        let (name, rule_id) = (&practice.name, draft.rule_id);
        let text = shared.texts.render(name, &settings, rule_id, today, &draft.members);
        wordings.push(Wording { text, revision: settings.revision });
    }
    drop(in_flight);
    obs::stage::batch(Stage::Render, drafts.len(), started.elapsed());
    Ok(wordings)
}

/// The settings that word a text: the newest, if they have its rule.
async fn settings_of(
    shared: &Shared,
    tx: &Tx<'_>,
    shard: i16,
    practice: &Practice,
    draft: &Draft<'_>,
) -> Result<Arc<Revision>, DbError> {
    if has_words(practice, draft.rule_id) {
        return Ok(Arc::clone(&practice.newest));
    }
    shared.app.practices.revision(tx, shard, draft.practice_id, draft.revision).await
}

/// Whether a practice still has words for a rule.
pub(super) fn has_words(practice: &Practice, rule_id: i16) -> bool {
    practice.newest.rule(rule_id).is_some()
}

/// What a text says of an appointment, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Details {
    pub(super) patient_name: String,
    pub(super) instructions: String,
}

/// Reads what texts say of appointments, in the order asked for.
pub(super) async fn members(
    tx: &Tx<'_>,
    shard: i16,
    practices: &[i64],
    appointments: &[&str],
) -> Result<Vec<Details>, DbError> {
    let rows = tx.rows(Query::MemberRead, &[&shard, &practices, &appointments]).await?;
    let mut all = vec![
        Details { patient_name: String::new(), instructions: String::new() };
        appointments.len()
    ];
    for row in &rows {
        let position: i64 = row.get("position");
        let slot = usize::try_from(position - 1).ok().and_then(|at| all.get_mut(at));
        if let Some(slot) = slot {
            slot.patient_name = row.get("patient_name");
            slot.instructions = row.get("instructions");
        }
    }
    Ok(all)
}

/// A queued text with other members and other words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rewritten {
    pub(super) practice_id: i64,
    pub(super) phone: i64,
    pub(super) message_id: i64,
    pub(super) due_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) appointment_ids: Vec<String>,
    pub(super) starts_at: Vec<Timestamp>,
    pub(super) wording: Wording,
}

/// Writes texts anew; their lanes are locked.
pub(super) async fn rewrite(tx: &Tx<'_>, shard: i16, texts: &[&Rewritten]) -> Result<(), DbError> {
    if texts.is_empty() {
        return Ok(());
    }
    let practices: Vec<i64> = texts.iter().map(|t| t.practice_id).collect();
    let phones: Vec<i64> = texts.iter().map(|t| t.phone).collect();
    let ids: Vec<i64> = texts.iter().map(|t| t.message_id).collect();
    let bodies: Vec<&str> = texts.iter().map(|t| t.wording.text.body.as_str()).collect();
    let segments: Vec<i16> = texts.iter().map(|t| t.wording.text.segments).collect();
    let revisions: Vec<i32> = texts.iter().map(|t| t.wording.revision).collect();
    let dues: Vec<Timestamp> = texts.iter().map(|t| t.due_at).collect();
    let expiries: Vec<Timestamp> = texts.iter().map(|t| t.expires_at).collect();
    let members: Vec<String> = texts.iter().map(|t| ids_literal(&t.appointment_ids)).collect();
    let starts: Vec<String> = texts.iter().map(|t| times_literal(&t.starts_at)).collect();
    // Lane items before messages, as everywhere.
    tx.execute(Query::LaneItemRewrite, &[&shard, &practices, &phones, &ids, &expiries]).await?;
    tx.execute(
        Query::MessageRewrite,
        &[
            &shard, &practices, &ids, &bodies, &segments, &revisions, &dues, &expiries, &members,
            &starts,
        ],
    )
    .await?;
    Ok(())
}

/// A PostgreSQL array literal of appointments' names. An array of arrays must be rectangular, so
/// they travel as one text each. Names have neither quotes nor backslashes.
pub(super) fn ids_literal<S: AsRef<str>>(ids: &[S]) -> String {
    let mut literal = String::with_capacity(16 * ids.len() + 2);
    for id in ids {
        literal.push(if literal.is_empty() { '{' } else { ',' });
        literal.push('"');
        literal.push_str(id.as_ref());
        literal.push('"');
    }
    literal.push('}');
    literal
}

/// The same of times.
pub(super) fn times_literal(times: &[Timestamp]) -> String {
    let times: Vec<String> = times.iter().map(Timestamp::to_string).collect();
    format!("{{{}}}", times.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_that_postgresql_reads() {
        assert_eq!(ids_literal(&["a", "NULL"]), r#"{"a","NULL"}"#);
        let at: Timestamp = "2026-05-04T09:00:00.25Z".parse().unwrap();
        assert_eq!(times_literal(&[at, at]), "{2026-05-04T09:00:00.25Z,2026-05-04T09:00:00.25Z}");
    }
}
