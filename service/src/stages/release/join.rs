//! What comes to a group that has a text already. While that text waits and was never tried it
//! takes in more and is worded anew; a text that was claimed for a try is closed, as is one without
//! room, and the next generation opens. A correction of an appointment that the text speaks of
//! opens the next one too.

use std::collections::HashMap;

use contract::Query;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio_postgres::Row;

use super::group::GroupKey;
use super::write::{Placed, Worded, insert, member, raced};
use crate::db::{DbError, Tx};
use crate::stages::Shared;
use crate::stages::render::{Details, Draft, Rewritten, members, render, rewrite};
use crate::text::{MEMBERS_MAX, Member};

/// The newest text of a group.
struct Newest {
    message_id: i64,
    generation: i16,
    revision: i32,
    due_at: Timestamp,
    expires_at: Timestamp,
    appointment_ids: Vec<String>,
    starts_at: Vec<Timestamp>,
    is_open: bool,
}

impl From<&Row> for Newest {
    fn from(row: &Row) -> Self {
        Self {
            message_id: row.get("message_id"),
            generation: row.get("generation"),
            revision: row.get("revision"),
            due_at: row.get("due_at"),
            expires_at: row.get("expires_at"),
            appointment_ids: row.get("appointment_ids"),
            starts_at: row.get("starts_at"),
            is_open: row.get("is_open"),
        }
    }
}

impl Newest {
    /// Whether it can take in a group's members. Of an appointment that it speaks of already, the
    /// promise in it has ended or is about to: the new one must not share its place.
    fn takes(&self, worded: &Worded) -> bool {
        self.is_open
            && self.appointment_ids.len() + worded.group.members.len() <= MEMBERS_MAX
            && worded
                .group
                .members
                .iter()
                .all(|m| !self.appointment_ids.contains(&m.appointment_id))
    }
}

/// Finds a place for groups that have a text already. Their lanes are locked.
pub(super) async fn join(
    shared: &Shared,
    tx: &Tx<'_>,
    shard: i16,
    groups: &[&Worded],
    real_now: Timestamp,
) -> Result<HashMap<GroupKey, Placed>, DbError> {
    let keys: Vec<GroupKey> = groups.iter().map(|worded| worded.group.key).collect();
    let practices: Vec<i64> = keys.iter().map(|k| k.practice_id).collect();
    let phones: Vec<i64> = keys.iter().map(|k| k.phone).collect();
    let days: Vec<Date> = keys.iter().map(|k| k.local_day).collect();
    let rules: Vec<i16> = keys.iter().map(|k| k.rule_id).collect();
    let slots: Vec<i16> = keys.iter().map(|k| k.group_slot).collect();
    let rows = tx
        .rows(Query::MessageNewest, &[&shard, &practices, &phones, &days, &rules, &slots])
        .await?;
    if rows.len() != groups.len() {
        return Err(raced());
    }
    let newest: Vec<Newest> = rows.iter().map(Newest::from).collect();
    let (open, closed): (Vec<_>, Vec<_>) =
        groups.iter().copied().zip(&newest).partition(|(worded, newest)| newest.takes(worded));
    let next: Vec<(&Worded, i16)> =
        closed.iter().map(|(worded, newest)| (*worded, newest.generation + 1)).collect();
    let mut places: HashMap<GroupKey, Placed> = HashMap::new();
    if !next.is_empty() {
        let made = insert(tx, shard, &next, real_now).await?;
        places.extend(
            made.into_iter().map(|(key, message_id)| (key, Placed { message_id, is_new: true })),
        );
    }
    for (worded, newest) in &open {
        let place = Placed { message_id: newest.message_id, is_new: false };
        places.insert(worded.group.key, place);
    }
    take_in(shared, tx, shard, &open).await?;
    Ok(places)
}

/// Words texts anew with the members that they take in.
async fn take_in(
    shared: &Shared,
    tx: &Tx<'_>,
    shard: i16,
    open: &[(&Worded, &Newest)],
) -> Result<(), DbError> {
    if open.is_empty() {
        return Ok(());
    }
    let known: Vec<(i64, &str)> = open
        .iter()
        .flat_map(|(worded, newest)| {
            let practice_id = worded.group.key.practice_id;
            newest.appointment_ids.iter().map(move |id| (practice_id, id.as_str()))
        })
        .collect();
    let (practices, ids): (Vec<i64>, Vec<&str>) = known.into_iter().unzip();
    let details = members(tx, shard, &practices, &ids).await?;
    let mut rest = &details[..];
    let mut all: Vec<Vec<(&str, Member<'_>)>> = Vec::with_capacity(open.len());
    for (worded, newest) in open {
        let (here, after) = rest.split_at(newest.appointment_ids.len());
        rest = after;
        all.push(together(worded, newest, here));
    }
    let drafts: Vec<Draft<'_>> = open
        .iter()
        .zip(&all)
        .map(|((worded, newest), all)| Draft {
            practice_id: worded.group.key.practice_id,
            revision: newest.revision.max(worded.group.revision()),
            rule_id: worded.group.key.rule_id,
            due_at: newest.due_at.min(worded.group.due_at()),
            members: all.iter().map(|(_, member)| *member).collect(),
        })
        .collect();
    let wordings = render(shared, tx, shard, &drafts).await?;
    let rewritten: Vec<Rewritten> = open
        .iter()
        .zip(&all)
        .zip(wordings)
        .map(|(((worded, newest), all), wording)| Rewritten {
            practice_id: worded.group.key.practice_id,
            phone: worded.group.key.phone,
            message_id: newest.message_id,
            due_at: newest.due_at.min(worded.group.due_at()),
            expires_at: newest.expires_at.max(worded.group.expires_at()),
            appointment_ids: all.iter().map(|(id, _)| (*id).to_owned()).collect(),
            starts_at: all.iter().map(|(_, member)| member.starts_at).collect(),
            wording,
        })
        .collect();
    let rewritten: Vec<&Rewritten> = rewritten.iter().collect();
    rewrite(tx, shard, &rewritten).await
}

/// The members of a text with those that it takes in, earliest first.
fn together<'a>(
    worded: &'a Worded,
    newest: &'a Newest,
    details: &'a [Details],
) -> Vec<(&'a str, Member<'a>)> {
    let known = newest.appointment_ids.iter().zip(&newest.starts_at).zip(details).map(
        |((id, &starts_at), Details { patient_name, instructions })| {
            (id.as_str(), Member { patient_name, instructions, starts_at })
        },
    );
    let new = worded.group.members.iter().map(|m| (m.appointment_id.as_str(), member(m)));
    let mut all: Vec<(&str, Member<'_>)> = known.chain(new).collect();
    all.sort_by(|a, b| (a.1.starts_at, a.0).cmp(&(b.1.starts_at, b.0)));
    all
}
