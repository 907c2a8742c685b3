//! What must come of an appointment, derived from the documented rules alone: when each rule's
//! text is due, and how many texts a household gets. The service's planner shares nothing with
//! this but the scatter hash, so each can show the other wrong.
//!
//! Times are seconds from the plan's origin. What a request makes true becomes true between its
//! intended start and the margin after it; a text leaves between its due time and the margin
//! after it. What these spans leave open is *unsure* and counts as zero at least, one at most.
//!
//! Never here: chance.

use contract::scatter;

use super::practice::{Practice, RULES};
use super::zones::{Zone, Zones};
use crate::day::calendar::DAY_MINUTES;
use crate::day::profile::HOURS;

/// A practice's rules in its time zone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) practice: &'a Practice,
    pub(crate) zone: &'a Zone,
    pub(crate) zones: &'a Zones,
    /// How late the service may be, in domain seconds.
    pub(crate) margin: i32,
}

/// When the service takes a version in: between `at` and `at + late`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) at: i32,
    pub(crate) late: i32,
}

impl Accepted {
    /// Before the domain clock starts to move.
    pub(crate) const IMPORTED: Self = Self { at: 0, late: 0 };

    fn latest(self) -> i32 {
        self.at + self.late
    }
}

/// A text that an appointment's version promises, alone or with others of its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Intent {
    /// Index of the rule.
    pub(crate) rule: u8,
    /// Local day of the due time; 0 is the replayed one.
    pub(crate) day: i16,
    /// Grouping window of that day.
    pub(crate) slot: u16,
    /// The rule's own time, before sending hours, grouping and scatter.
    pub(crate) exact: i32,
    /// Due at the earliest.
    pub(crate) earliest: i32,
    /// Due at the latest; later than `earliest` only where the version's acceptance decides.
    pub(crate) latest: i32,
    /// Whether the margins leave it open that there is such a text.
    pub(crate) sure: bool,
}

impl Terms<'_> {
    /// What this rule makes of an appointment on this day and local minute.
    pub(crate) fn intent(
        &self,
        rule: usize,
        phone: u64,
        (day, minute): (i16, u16),
        accepted: Accepted,
    ) -> Option<Intent> {
        let starts = self.wall(day, i32::from(minute));
        let spec = &self.practice.rules[rule];
        let mut due_day = day - spec.before_days as i16;
        let mut due_minute = i32::from(minute) - i32::from(spec.before_minutes);
        while due_minute < 0 {
            due_minute += DAY_MINUTES;
            due_day -= 1;
        }
        let exact = self.wall(due_day, due_minute);
        // The rule applies if its time has not passed when the version is taken in.
        if exact < accepted.at {
            return None;
        }
        let mut sure = exact > accepted.latest();
        let grouping = i32::from(spec.grouping_minutes);
        let from = i32::from(self.practice.send_from);
        let until = i32::from(self.practice.send_until);
        let inside = if due_minute < until {
            due_minute.max(from)
        } else {
            // The last window that begins within the sending hours.
            (until - 1) / grouping * grouping
        };
        let slot = inside / grouping;
        let base = self.wall(due_day, (slot * grouping).max(from));
        // Nothing is sent once the hours are over, however far the scatter would take it.
        let over = self.wall(due_day, until);
        let scattered = base + self.scatter(phone, due_day, spec.scatter_seconds);
        let scattered = scattered.min(over - 1);
        let earliest = scattered.max(accepted.at);
        let latest = scattered.max(accepted.latest());
        // The whole spread has to lie before the appointment, whatever this phone's share of it
        // is; and nothing is planned once the hours of its day are over.
        let spread_ends = (base + spec.scatter_seconds as i32).min(over - 1);
        if spread_ends >= starts || earliest >= starts || earliest >= over {
            return None;
        }
        sure &= latest < starts && latest < over;
        Some(Intent {
            rule: rule as u8,
            day: due_day,
            slot: slot as u16,
            exact,
            earliest,
            latest,
            sure,
        })
    }

    /// All rules' intents.
    pub(crate) fn intents(
        &self,
        phone: u64,
        at: (i16, u16),
        accepted: Accepted,
    ) -> impl Iterator<Item = Intent> + '_ {
        (0..RULES).filter_map(move |rule| self.intent(rule, phone, at, accepted))
    }

    /// When a version that arrives at this second is taken in.
    pub(crate) fn accepted(&self, at: i32) -> Accepted {
        Accepted { at, late: self.margin }
    }

    /// Seconds from the origin to this local minute.
    pub(crate) fn wall(&self, day: i16, minute: i32) -> i32 {
        self.zone.midnight(day) + minute * 60
    }

    fn scatter(&self, phone: u64, day: i16, seconds: u32) -> i32 {
        let local_day = self.zones.first_day + i32::from(day);
        // A phone has at most 15 digits; the offset is below 3600.
        scatter(self.practice.practice_id, phone as i64, local_day, seconds) as i32
    }

    /// Whether something done at `at` (or up to the margin later) is clear of all that this intent
    /// does: certainly before, or certainly after.
    pub(crate) fn clear(&self, intent: &Intent, at: i32) -> bool {
        self.before(intent, at) || at > intent.latest.max(intent.exact) + self.margin
    }

    /// Certainly before the text leaves, and before anything that decides on it.
    pub(crate) fn before(&self, intent: &Intent, at: i32) -> bool {
        at + self.margin < intent.earliest.min(intent.exact)
    }

    /// Certainly after the text has left.
    pub(crate) fn after(&self, intent: &Intent, at: i32) -> bool {
        at > intent.latest + self.margin
    }

    /// Whether it is due within the replay.
    pub(crate) fn today(&self, intent: &Intent) -> bool {
        intent.earliest <= self.zones.window_seconds
    }
}

/// An intent with what became of its version.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub(crate) intent: Intent,
    /// When the version was replaced or cancelled.
    pub(crate) ended: Option<i32>,
}

/// What a household gets on the day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Texts {
    /// Texts at least.
    pub(crate) min: u32,
    /// Texts at most.
    pub(crate) max: u32,
    /// Texts at least that speak of two appointments or more.
    pub(crate) families: u32,
    /// By rule, texts at least.
    pub(crate) by_rule: [u32; RULES],
    /// By the hour after the origin in which they are due, texts at least.
    pub(crate) by_hour: [u32; HOURS],
}

impl Terms<'_> {
    /// Counts the texts of a household's intents on the day. Sorts `members`, and drops those that
    /// certainly come to nothing.
    pub(crate) fn texts(&self, members: &mut Vec<Member>) -> Texts {
        members.retain(|m| {
            self.today(&m.intent) && m.ended.is_none_or(|at| !self.before_due(&m.intent, at))
        });
        members.sort_unstable_by_key(|m| {
            let i = &m.intent;
            (i.rule, i.day, i.slot, i.earliest, i.latest)
        });
        let group = |m: &Member| (m.intent.rule, m.intent.day, m.intent.slot);
        let mut texts = Texts::default();
        for members in members.chunk_by(|a, b| group(a) == group(b)) {
            texts.max += most(members);
            self.add_least(members, &mut texts);
        }
        texts
    }

    /// Certainly taken back before it is due.
    fn before_due(&self, intent: &Intent, at: i32) -> bool {
        at + self.margin < intent.earliest
    }

    /// Members whose due times lie further apart than the margin can't share a text: the first one
    /// has left.
    fn add_least(&self, members: &[Member], texts: &mut Texts) {
        let mut left_by: Option<i32> = None;
        let mut same_due: (i32, u32) = (i32::MIN, 0);
        for Member { intent, ended } in members {
            let stays = ended.is_none_or(|at| self.after(intent, at));
            if !(intent.sure && stays) {
                continue;
            }
            if left_by.is_none_or(|by| intent.earliest > by) {
                texts.min += 1;
                texts.by_rule[usize::from(intent.rule)] += 1;
                texts.by_hour[hour(intent.earliest)] += 1;
            }
            let by = intent.latest + self.margin;
            left_by = Some(left_by.map_or(by, |left| left.max(by)));
            if intent.earliest == intent.latest && same_due.0 == intent.earliest {
                same_due.1 += 1;
                texts.families += u32::from(same_due.1 == 2);
            } else {
                same_due = (intent.earliest, u32::from(intent.earliest == intent.latest));
            }
        }
    }
}

/// The hour after the origin that a second is in; what is due before it leaves at once.
fn hour(second: i32) -> usize {
    usize::try_from(second / 3_600).unwrap_or(0).min(HOURS - 1)
}

/// One text for each due time, and one for each member whose due time is open.
fn most(members: &[Member]) -> u32 {
    let fixed = |m: &Member| m.intent.earliest == m.intent.latest;
    let mut most = 0;
    let mut last = None;
    for m in members {
        if !fixed(m) || last != Some(m.intent.earliest) {
            most += 1;
        }
        last = fixed(m).then_some(m.intent.earliest);
    }
    most
}

#[cfg(test)]
mod tests;
