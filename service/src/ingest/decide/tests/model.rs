//! One appointment and what the database would hold of it, for histories in which each decision is
//! carried out. Never here: what must hold of it.

use jiff::Timestamp;
use jiff::civil::{date, time};
use jiff::tz::TimeZone;

use super::*;
use crate::practice::Rule;

pub(super) fn revision() -> Revision {
    let rule = |rule_id, before_days, before_minutes, grouping_minutes| Rule {
        rule_id,
        name: String::new(),
        before_days,
        before_minutes,
        grouping_minutes,
        scatter_seconds: 300,
        template: String::new(),
    };
    Revision {
        practice_id: 3,
        revision: 1,
        timezone: TimeZone::UTC,
        timezone_name: "UTC".into(),
        send_from: time(8, 0, 0, 0),
        send_until: time(20, 0, 0, 0),
        rules: vec![rule(1, 1, 0, 240), rule(2, 0, 120, 60)],
    }
}

/// One appointment and its live intents, as the database would hold them, and the practice's newest
/// settings.
pub(super) struct Model {
    pub(super) revision: Revision,
    pub(super) known: Option<Known>,
    pub(super) live: Vec<Intent>,
    pub(super) suppressed: Vec<Intent>,
}

impl Default for Model {
    fn default() -> Self {
        let (live, suppressed) = (Vec::new(), Vec::new());
        Self { revision: revision(), known: None, live, suppressed }
    }
}

impl Model {
    pub(super) fn apply(&mut self, change: &Change, domain_now: Timestamp) -> Decision {
        let now = Now { domain_now, horizon: date(2026, 7, 1) };
        let decision = decide(self.known.as_ref(), change, &self.live, &self.revision, now);
        self.live.retain(|intent| {
            !decision.delete.contains(intent)
                && !decision.suppress.iter().any(|(gone, _)| gone == intent)
        });
        self.suppressed.extend(decision.suppress.iter().map(|(intent, _)| *intent));
        if let Some(store) = &decision.store {
            self.known = Some(store.clone());
            for due in &decision.insert {
                self.live.push(Intent {
                    due_day: due.local_day,
                    rule_id: due.rule_id,
                    plan_version: store.appointment.version,
                    group_slot: due.group_slot,
                    phone: store.appointment.phone,
                    due_at: due.due_at,
                    starts_at: store.appointment.starts_at,
                    released: None,
                });
            }
        }
        decision
    }

    /// What waits in a text when its appointment begins expires, and is live no more.
    pub(super) fn expire(&mut self, domain_now: Timestamp) {
        let waits = |it: &Intent| it.released.is_some_and(|released| released.stoppable);
        self.live.retain(|it| it.starts_at > domain_now || !waits(it));
    }

    /// What is due becomes a text, which may or may not have left.
    pub(super) fn release(&mut self, domain_now: Timestamp, stoppable: bool) {
        for (n, intent) in self.live.iter_mut().enumerate() {
            if intent.due_at <= domain_now && intent.released.is_none() {
                intent.released = Some(Released { message_id: n as i64, stoppable });
            } else if let Some(released) = &mut intent.released {
                released.stoppable &= stoppable;
            }
        }
    }
}
