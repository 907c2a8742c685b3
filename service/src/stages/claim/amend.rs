//! Texts at the head of their lanes that are worded anew: they lost some of their appointments,
//! some have begun, their practice has newer words for them, or they leave on another day than they
//! were due on.
//!
//! Never here: whether that is so (`verdict`, but for the day), what a text says
//! (`stages::render`).

use jiff::Timestamp;

use super::take::Claimed;
use super::verdict::{Head, MemberNow, why};
use crate::db::{DbError, Tx};
use crate::practice::Revision;
use crate::stages::Shared;
use crate::stages::codes::Reason;
use crate::stages::deliver::Job;
use crate::stages::render::{Details, Draft, Rewritten, members, render};
use crate::stages::settle::{Completion, Ending, LostMember, Work};
use crate::text::Member;

/// A text to be worded anew with the members at these places.
pub(super) struct Amended {
    pub(super) head: Head,
    pub(super) kept: Vec<usize>,
    pub(super) work: Work,
    /// What it loses has begun; else it was cancelled or moved.
    pub(super) have_begun: bool,
    /// How it goes out if its words are still the same.
    pub(super) as_is: Option<Job>,
}

impl Amended {
    fn members(&self) -> impl Iterator<Item = &MemberNow> {
        self.kept.iter().map(move |&at| &self.head.members[at])
    }
}

/// Whether a text that was due on one day of its practice leaves on another.
pub(super) fn leaves_on_another_day(
    head: &Head,
    settings: &Revision,
    domain_now: Timestamp,
) -> bool {
    let day = |at: Timestamp| at.to_zoned(settings.timezone.clone()).date();
    day(domain_now) != day(head.due_at)
}

/// The members that a text loses, and why.
pub(super) fn drops(
    head: &Head,
    is_lost: impl Fn(usize) -> bool,
    why: impl Fn(&MemberNow) -> Reason,
) -> Vec<LostMember> {
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

/// Words texts anew that lost some of their appointments, have newer words or leave on another day
/// than they were due on. They are stored by settle, together with the end of the promises that
/// were lost; what a text of another day says may be the same, and then it leaves.
pub(super) async fn amend(
    shared: &Shared,
    tx: &Tx<'_>,
    shard: i16,
    amended: Vec<Amended>,
    claimed: &mut Claimed,
) -> Result<(), DbError> {
    if amended.is_empty() {
        return Ok(());
    }
    let (practices, ids): (Vec<i64>, Vec<&str>) = amended
        .iter()
        .flat_map(|one| {
            one.members().map(move |m| (one.head.practice_id, m.appointment_id.as_str()))
        })
        .unzip();
    let mut details = members(tx, shard, &practices, &ids).await?.into_iter();
    let details: Vec<Vec<Details>> =
        amended.iter().map(|one| details.by_ref().take(one.kept.len()).collect()).collect();
    let drafts: Vec<Draft<'_>> =
        amended.iter().zip(&details).map(|(one, details)| draft(one, details)).collect();
    let wordings = render(shared, tx, shard, &drafts).await?;
    drop(drafts);
    for (mut one, wording) in amended.into_iter().zip(wordings) {
        if let Some(job) = one.as_is.take_if(|_| one.head.body == wording.text.body) {
            claimed.jobs.push(job);
            continue;
        }
        let Amended { head, kept, work, have_begun, as_is: _ } = &one;
        let starts_at: Vec<Timestamp> = one.members().map(|m| m.starts_at).collect();
        let rewritten = Rewritten {
            practice_id: head.practice_id,
            phone: head.phone,
            message_id: head.message_id,
            due_at: head.due_at,
            expires_at: starts_at.iter().copied().max().unwrap_or(head.expires_at),
            appointment_ids: one.members().map(|m| m.appointment_id.clone()).collect(),
            starts_at,
            wording,
        };
        let why = |member: &MemberNow| if *have_begun { Reason::Expired } else { why(member) };
        let drops = drops(head, |at| !kept.contains(&at), why);
        let ending = Ending::Amended(Box::new(rewritten), drops);
        claimed.endings.push(Completion::now(&shared.app.clock, *work, ending));
    }
    Ok(())
}

/// A text as it is worded anew.
fn draft<'a>(one: &'a Amended, details: &'a [Details]) -> Draft<'a> {
    let Amended { head, .. } = one;
    let told = one.members().zip(details).map(|(member, details)| Member {
        patient_name: &details.patient_name,
        instructions: &details.instructions,
        starts_at: member.starts_at,
    });
    Draft {
        practice_id: head.practice_id,
        revision: head.revision,
        rule_id: head.rule_id,
        due_at: head.due_at,
        members: told.collect(),
    }
}
