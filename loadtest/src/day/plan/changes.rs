//! What happens to booked appointments on the day: cancelled, moved, edited, sent again. At most
//! one kind each, at an instant that leaves the plan's minimum in no doubt, but for those
//! cancelled within two minutes of a text's due time, which either side may win.
//!
//! Never here: how the service answers; what a cancellation must achieve is in `Outlook`.

use super::draft::{Draft, Household, How, Version};
use super::households::Households;
use super::model::Intent;
use crate::day::people;

/// Instants that are tried until one is clear; then the change doesn't happen.
const INSTANTS_TRIED_MAX: u32 = 8;
/// "Within two minutes of the due time", on either side.
const NEAR_DUE_SECONDS: i32 = 120;
/// Nobody changes an appointment when it is about to begin.
const LAST_CHANGE_SECONDS: i32 = 600;
const NANOS: u64 = 1_000_000_000;

/// What a cancellation must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outlook {
    /// Every text is stopped, and one of them would have left on the day.
    StopsToday,
    /// Every text is stopped, all of them due later.
    StopsLater,
    /// A text has left.
    TooLate,
    /// Within two minutes of the due time: either.
    NearDue,
    /// There is nothing to stop any more.
    Nothing,
    /// By an upsert: every text is stopped, which the appointment shows when it is read.
    StopsUnsaid,
}

/// What kind of change an appointment gets.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Cancel,
    Move,
    Edit,
    Bump,
    Repeat,
}

const KINDS: [Kind; 5] = [Kind::Cancel, Kind::Move, Kind::Edit, Kind::Bump, Kind::Repeat];

impl Households<'_> {
    /// Draws the changes of a household's appointments; returns what its cancellations come to.
    pub(crate) fn change(&mut self, household: &mut Household, outlooks: &mut Vec<Outlook>) {
        let phone = household.phone;
        for draft in &mut household.drafts {
            let made_up = self.made_up;
            if self.cancel_near_due(phone, draft) {
                outlooks.push(Outlook::NearDue);
                self.cancel_twice(draft);
                continue;
            }
            let none = 1.0
                - made_up.cancelled
                - made_up.moved
                - made_up.edited
                - made_up.bumped
                - made_up.repeated;
            let weights = [
                made_up.cancelled,
                made_up.moved,
                made_up.edited,
                made_up.bumped,
                made_up.repeated,
                none.max(0.0),
            ];
            match KINDS.get(self.draw.weighted(&weights)) {
                Some(Kind::Cancel) => outlooks.extend(self.cancel(phone, draft)),
                Some(Kind::Move) => self.revise(phone, draft, Self::moved),
                Some(Kind::Edit) => self.revise(phone, draft, Self::edited),
                Some(Kind::Bump) => self.revise(phone, draft, |_, version| version),
                Some(Kind::Repeat) => self.repeat(draft),
                None => {}
            }
        }
    }

    fn intents_of(&self, phone: u64, version: &Version) -> Vec<Intent> {
        let at = (version.day, version.minute);
        self.terms.intents(phone, at, version.accepted(&self.terms)).collect()
    }

    fn cancel_near_due(&mut self, phone: u64, draft: &mut Draft) -> bool {
        let version = draft.versions[0];
        let intents = self.intents_of(phone, &version);
        let today: Vec<Intent> = intents
            .into_iter()
            .filter(|i| self.terms.today(i) && i.sure && i.earliest == i.latest)
            .collect();
        if today.is_empty() || !self.draw.chance(self.made_up.cancelled_near_due) {
            return false;
        }
        let due = today[self.draw.below(today.len() as u32) as usize].earliest;
        let at = due + self.draw.between(-NEAR_DUE_SECONDS, NEAR_DUE_SECONDS);
        if at <= self.taken_in(&version) || at >= self.last_change(&version) {
            return false;
        }
        let arrives_ns = Some(self.within_second(at));
        let how = How::CancelledByCall { versioned: self.draw.chance(0.5) };
        draft.versions.push(Version { arrives_ns, how, ..version });
        true
    }

    fn cancel(&mut self, phone: u64, draft: &mut Draft) -> Option<Outlook> {
        let version = draft.versions[0];
        let intents = self.intents_of(phone, &version);
        let arrives_ns = self.clear_call(&version, &intents)?;
        let how = if self.draw.chance(self.made_up.cancelled_by_upsert) {
            How::CancelledByUpsert
        } else {
            How::CancelledByCall { versioned: self.draw.chance(0.5) }
        };
        let cancelled = Version { arrives_ns: Some(arrives_ns), how, ..version };
        draft.versions.push(cancelled);
        let mut stays_cancelled = true;
        if !self.draw.chance(self.made_up.booked_again) {
            self.cancel_twice(draft);
        } else if let Some((arrives_ns, again)) =
            self.clear_version(phone, &cancelled, &[], |_, v| v)
        {
            let arrives_ns = Some(arrives_ns);
            draft.versions.push(Version { arrives_ns, how: How::Booked, ..again });
            stays_cancelled = false;
        }
        let outlook = self.outlook(&intents, (arrives_ns / NANOS) as i32);
        match (how, outlook) {
            (How::CancelledByCall { .. }, outlook) => Some(outlook),
            // An upsert must stop the same and doesn't say so: that is seen by reading what it
            // left, if that is still there after the day.
            (How::CancelledByUpsert, Outlook::StopsToday | Outlook::StopsLater) => {
                stays_cancelled.then_some(Outlook::StopsUnsaid)
            }
            (How::CancelledByUpsert | How::Booked, _) => None,
        }
    }

    fn outlook(&self, intents: &[Intent], at: i32) -> Outlook {
        let terms = &self.terms;
        if intents.is_empty() {
            Outlook::Nothing
        } else if intents.iter().any(|i| terms.after(i, at)) {
            Outlook::TooLate
        } else if intents.iter().any(|i| terms.today(i)) {
            Outlook::StopsToday
        } else {
            Outlook::StopsLater
        }
    }

    fn cancel_twice(&mut self, draft: &mut Draft) {
        if self.draw.chance(self.made_up.cancelled_twice) {
            self.send_again(draft, draft.versions.len() - 1);
        }
    }

    /// A new version at an instant that is clear of what the old one and itself do.
    fn revise(
        &mut self,
        phone: u64,
        draft: &mut Draft,
        change: impl Fn(&mut Self, Version) -> Version,
    ) {
        let version = draft.versions[0];
        let intents = self.intents_of(phone, &version);
        let Some((arrives_ns, revised)) = self.clear_version(phone, &version, &intents, change)
        else {
            return;
        };
        draft.versions.push(Version { arrives_ns: Some(arrives_ns), ..revised });
        let real_change = (revised.day, revised.minute, revised.name, revised.instructions)
            != (version.day, version.minute, version.name, version.instructions);
        if real_change && self.draw.chance(self.made_up.stale) {
            self.send_again(draft, 0);
        }
    }

    fn moved(&mut self, version: Version) -> Version {
        let ahead = if self.draw.chance(0.6) {
            1 + self.draw.below(7) as i16
        } else {
            8 + self.draw.below(21) as i16
        };
        let day = self.open_day(ahead);
        let minute = self.time_of_day();
        Version { day, minute, ..version }
    }

    fn edited(&mut self, version: Version) -> Version {
        if self.draw.chance(0.5) {
            let other = 1 + self.draw.below(people::INSTRUCTIONS.len() as u32 - 1) as u8;
            let instructions = if other == version.instructions { 0 } else { other };
            Version { instructions, ..version }
        } else {
            Version { name: (version.name + 1) % people::NAMES, ..version }
        }
    }

    fn repeat(&mut self, draft: &mut Draft) {
        self.send_again(draft, 0);
    }

    /// One version arrives once more, after the last one, and must change nothing.
    fn send_again(&mut self, draft: &mut Draft, index: usize) {
        let Some(last) = draft.versions.last() else {
            return;
        };
        let from = self.taken_in(last);
        let window = self.terms.zones.window_seconds;
        if from < window {
            let at = from + self.draw.below((window - from).unsigned_abs()) as i32;
            let arrival = self.within_second(at);
            draft.again.push((index as u8, arrival));
        }
    }

    /// Any instant within this second.
    fn within_second(&mut self, second: i32) -> u64 {
        u64::from(second.unsigned_abs()) * NANOS + u64::from(self.draw.below(NANOS as u32))
    }

    /// From then on the service has it for certain.
    fn taken_in(&self, version: &Version) -> i32 {
        version.arrives().map_or(0, |at| at + self.terms.margin)
    }

    fn last_change(&self, version: &Version) -> i32 {
        let starts = self.terms.wall(version.day, i32::from(version.minute));
        (starts - LAST_CHANGE_SECONDS).min(self.terms.zones.window_seconds)
    }

    /// A call that these intents leave in no doubt.
    fn clear_call(&mut self, version: &Version, intents: &[Intent]) -> Option<u64> {
        let open = self.taken_in(version)..self.last_change(version);
        (0..INSTANTS_TRIED_MAX).find_map(|_| {
            let ns = self.some_call();
            let at = (ns / NANOS) as i32;
            let clear = open.contains(&at) && intents.iter().all(|i| self.terms.clear(i, at));
            clear.then_some(ns)
        })
    }

    /// A call, and the version that it makes, that leave each other in no doubt.
    fn clear_version(
        &mut self,
        phone: u64,
        version: &Version,
        intents: &[Intent],
        change: impl Fn(&mut Self, Version) -> Version,
    ) -> Option<(u64, Version)> {
        (0..INSTANTS_TRIED_MAX).find_map(|_| {
            let ns = self.clear_call(version, intents)?;
            let revised = change(self, Version { arrives_ns: Some(ns), ..*version });
            let booked = Version { how: How::Booked, ..revised };
            let sure = self.intents_of(phone, &booked).iter().all(|i| i.sure);
            sure.then_some((ns, revised))
        })
    }
}
