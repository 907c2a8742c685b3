//! Render: the words of a text and how many segments they take, before it enters its lane, so that
//! only handing over is left to be done in order. Also where a text gets other words: when it
//! takes in an appointment, and when it lost one.

use std::time::Instant;

use contract::{Query, Stage};
use jiff::Timestamp;
use jiff::civil::Date;

use super::Shared;
use crate::db::{DbError, Tx};
use crate::obs;
use crate::text::{Member, Text};

/// A text to be rendered.
pub(super) struct Draft<'a> {
    /// Whose.
    pub(super) practice_id: i64,
    /// Under which of its settings.
    pub(super) revision: i32,
    /// Under which rule.
    pub(super) rule_id: i16,
    /// On which day it is due.
    pub(super) local_day: Date,
    /// Its appointments, earliest first.
    pub(super) members: Vec<Member<'a>>,
}

/// Renders texts, in their order.
pub(super) async fn render(shared: &Shared, drafts: &[Draft<'_>]) -> Result<Vec<Text>, DbError> {
    let started = Instant::now();
    let in_flight = obs::stage::in_flight(Stage::Render);
    let mut texts = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let revision = shared.app.practices.revision(draft.practice_id, draft.revision).await?;
        texts.push(shared.texts.render(&revision, draft.rule_id, draft.local_day, &draft.members));
    }
    drop(in_flight);
    if !drafts.is_empty() {
        obs::stage::batch(Stage::Render, drafts.len(), started.elapsed());
    }
    Ok(texts)
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
    pub(super) revision: i32,
    pub(super) due_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) appointment_ids: Vec<String>,
    pub(super) starts_at: Vec<Timestamp>,
    pub(super) text: Text,
}

/// Writes texts anew; their lanes are locked.
pub(super) async fn rewrite(tx: &Tx<'_>, shard: i16, texts: &[&Rewritten]) -> Result<(), DbError> {
    if texts.is_empty() {
        return Ok(());
    }
    let practices: Vec<i64> = texts.iter().map(|t| t.practice_id).collect();
    let phones: Vec<i64> = texts.iter().map(|t| t.phone).collect();
    let ids: Vec<i64> = texts.iter().map(|t| t.message_id).collect();
    let bodies: Vec<&str> = texts.iter().map(|t| t.text.body.as_str()).collect();
    let segments: Vec<i16> = texts.iter().map(|t| t.text.segments).collect();
    let revisions: Vec<i32> = texts.iter().map(|t| t.revision).collect();
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
