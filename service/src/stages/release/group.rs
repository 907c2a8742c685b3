//! Who shares a text: pure. Appointments of one phone under one rule, due in one grouping window
//! of one day, are told in one text. None is lost by it and none is told twice.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use tokio_postgres::Row;

use crate::text::MEMBERS_MAX;

/// A planned intent that is due, with what a text says of its appointment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DueIntent {
    pub(super) due_day: Date,
    pub(super) practice_id: i64,
    pub(super) appointment_id: String,
    pub(super) rule_id: i16,
    pub(super) plan_version: i64,
    pub(super) group_slot: i16,
    pub(super) revision: i32,
    pub(super) phone: i64,
    pub(super) due_at: Timestamp,
    pub(super) starts_at: Timestamp,
    pub(super) patient_name: String,
    pub(super) instructions: String,
}

impl From<&Row> for DueIntent {
    fn from(row: &Row) -> Self {
        Self {
            due_day: row.get("due_day"),
            practice_id: row.get("practice_id"),
            appointment_id: row.get("appointment_id"),
            rule_id: row.get("rule_id"),
            plan_version: row.get("plan_version"),
            group_slot: row.get("group_slot"),
            revision: row.get("revision"),
            phone: row.get("phone"),
            due_at: row.get("due_at"),
            starts_at: row.get("starts_at"),
            patient_name: row.get("patient_name"),
            instructions: row.get("instructions"),
        }
    }
}

/// What the members of a text have in common: with a generation, the text's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct GroupKey {
    pub(super) practice_id: i64,
    pub(super) phone: i64,
    pub(super) local_day: Date,
    pub(super) rule_id: i16,
    pub(super) group_slot: i16,
}

impl GroupKey {
    fn of(intent: &DueIntent) -> Self {
        let DueIntent { practice_id, phone, due_day, rule_id, group_slot, .. } = *intent;
        Self { practice_id, phone, local_day: due_day, rule_id, group_slot }
    }
}

/// The appointments of one text, earliest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) key: GroupKey,
    /// Never empty.
    pub(super) members: Vec<DueIntent>,
}

impl Group {
    /// The newest settings that one of its members was promised under.
    pub(super) fn revision(&self) -> i32 {
        self.members.iter().map(|member| member.revision).max().unwrap_or(1)
    }

    /// When its first member was due.
    pub(super) fn due_at(&self) -> Timestamp {
        self.members.iter().map(|member| member.due_at).min().unwrap_or(Timestamp::MAX)
    }

    /// From when on it is of no use: when the last of its appointments begins.
    pub(super) fn expires_at(&self) -> Timestamp {
        self.members.iter().map(|member| member.starts_at).max().unwrap_or(Timestamp::MAX)
    }
}

/// Leaves the last family of a full batch for the next one, for more of it may follow. `intents`
/// are in the order of release. A family that fills a batch by itself is not left.
pub(super) fn leave_cut_family(intents: &mut Vec<DueIntent>) {
    let family =
        |intent: &DueIntent| (intent.due_at, intent.practice_id, intent.phone, intent.rule_id);
    let Some(last) = intents.last().map(family) else { return };
    let whole = intents.iter().rposition(|intent| family(intent) != last);
    if let Some(whole) = whole {
        intents.truncate(whole + 1);
    }
}

/// Leaves members that a text has no room for, the latest ones, to the next batch, in which they
/// open the next generation. Says how many.
pub(super) fn leave_surplus(groups: &mut [Group]) -> usize {
    let mut left = 0;
    for group in groups {
        left += group.members.len().saturating_sub(MEMBERS_MAX);
        group.members.truncate(MEMBERS_MAX);
    }
    left
}

/// Puts intents into groups, in the order in which the groups come to be due.
pub(super) fn group(intents: Vec<DueIntent>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::with_capacity(intents.len());
    let mut places: HashMap<GroupKey, usize> = HashMap::with_capacity(intents.len());
    for intent in intents {
        let key = GroupKey::of(&intent);
        let place = *places.entry(key).or_insert_with(|| {
            groups.push(Group { key, members: Vec::with_capacity(1) });
            groups.len() - 1
        });
        groups[place].members.push(intent);
    }
    for group in &mut groups {
        group.members.sort_by(|a, b| {
            (a.starts_at, &a.appointment_id).cmp(&(b.starts_at, &b.appointment_id))
        });
    }
    groups
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    fn intent() -> impl Strategy<Value = DueIntent> {
        (1_i64..3, 1_i64..4, 1_i16..3, 0_i16..2, 0_i64..3, 0_i64..3, 1_i32..3).prop_map(
            |(practice_id, phone, rule_id, group_slot, due, start, revision)| DueIntent {
                due_day: Date::constant(2026, 5, 4),
                practice_id,
                appointment_id: String::new(),
                rule_id,
                plan_version: 1,
                group_slot,
                revision,
                phone,
                due_at: Timestamp::UNIX_EPOCH + SignedDuration::from_mins(due),
                starts_at: Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 + start),
                patient_name: String::new(),
                instructions: String::new(),
            },
        )
    }

    /// As release reads them.
    fn in_order(mut intents: Vec<DueIntent>) -> Vec<DueIntent> {
        intents.sort_by_key(|i| (i.due_at, i.practice_id, i.phone, i.rule_id));
        for (n, intent) in intents.iter_mut().enumerate() {
            intent.appointment_id = format!("a{n:03}");
        }
        intents
    }

    proptest! {
        #[test]
        fn no_member_is_lost_and_none_is_told_twice(
            intents in prop::collection::vec(intent(), 0..60)
        ) {
            let intents = in_order(intents);
            let groups = group(intents.clone());
            let mut told: Vec<DueIntent> =
                groups.iter().flat_map(|group| group.members.clone()).collect();
            told.sort_by(|a, b| a.appointment_id.cmp(&b.appointment_id));
            prop_assert_eq!(told, intents);
            let mut keys: Vec<GroupKey> = groups.iter().map(|group| group.key).collect();
            keys.sort_unstable();
            keys.dedup();
            prop_assert_eq!(keys.len(), groups.len(), "a group twice");
            for group in &groups {
                prop_assert!(group.members.iter().all(|member| GroupKey::of(member) == group.key));
                prop_assert!(group.members.is_sorted_by_key(|member| member.starts_at));
                let last = group.members.last().map(|member| member.starts_at);
                prop_assert_eq!(Some(group.expires_at()), last);
            }
            let dues: Vec<Timestamp> = groups.iter().map(Group::due_at).collect();
            prop_assert!(dues.is_sorted(), "texts leave in the order in which they are due");
        }

        #[test]
        fn what_a_text_has_no_room_for_is_left_and_comes_next(
            intents in prop::collection::vec(intent(), 0..300)
        ) {
            let mut due = in_order(intents);
            let mut told = Vec::new();
            let all = due.clone();
            while !due.is_empty() {
                let mut groups = group(due.clone());
                let left = leave_surplus(&mut groups);
                let fits = |group: &Group| (1..=MEMBERS_MAX).contains(&group.members.len());
                prop_assert!(groups.iter().all(fits));
                let here: Vec<DueIntent> =
                    groups.into_iter().flat_map(|group| group.members).collect();
                due.retain(|intent| !here.contains(intent));
                prop_assert_eq!(due.len(), left);
                told.extend(here);
            }
            told.sort_by(|a, b| a.appointment_id.cmp(&b.appointment_id));
            prop_assert_eq!(told, all);
        }

        #[test]
        fn a_full_batch_never_cuts_a_family(
            intents in prop::collection::vec(intent(), 1..60), cut in 1_usize..60
        ) {
            let intents = in_order(intents);
            let mut batch = intents.clone();
            batch.truncate(cut);
            leave_cut_family(&mut batch);
            prop_assert!(!batch.is_empty(), "every batch gets on");
            prop_assert_eq!(&batch[..], &intents[..batch.len()]);
            let family = |i: &DueIntent| (i.due_at, i.practice_id, i.phone, i.rule_id);
            let whole = batch.iter().all(|i| family(i) == family(&batch[0]));
            if let Some(next) = intents.get(batch.len()) {
                prop_assert!(whole || batch.iter().all(|i| family(i) != family(next)));
            }
        }
    }
}
