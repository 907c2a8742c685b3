//! Fates: what becomes of an accepted text (delivered or not, answered or not) and what the
//! provider tells about it, step by step.
//!
//! Here belongs the pure plan of a message; sending its steps is in `callbacks`. Never a state: a
//! plan follows from the seed, the text and the settings at the moment of acceptance.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::draw::{Key, Purpose};
use super::faults::{Faults, FaultsError, check_share};
use super::latency::Latency;

/// How accepted texts fare, apart from faults.
#[derive(Clone, Debug, PartialEq)]
pub struct Fates {
    /// Whether `sent` is called back as well, or the final status alone.
    pub sent_callback: bool,
    /// From acceptance to the first status.
    pub sent_delay: Latency,
    /// From `sent` to the final status.
    pub final_delay: Latency,
    /// Sent but never delivered, with an error code of Twilio's 300xx.
    pub undelivered_share: f64,
    /// Failed before it was sent, with an error code of Twilio's 300xx.
    pub failed_share: f64,
    /// From the final status to the reply, where there is one.
    pub reply_delay: Latency,
    /// Delivered texts that are answered YES.
    pub reply_yes_share: f64,
    /// Delivered texts that are answered NO.
    pub reply_no_share: f64,
    /// Delivered texts that are answered STOP.
    pub reply_stop_share: f64,
    /// Delivered texts that are answered in words of the recipient's own.
    pub reply_text_share: f64,
}

/// How a text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It reached the phone.
    Delivered,
    /// It left and did not reach the phone.
    Undelivered,
    /// It never left.
    Failed,
}

/// What a recipient answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyKind {
    /// YES.
    Yes,
    /// NO.
    No,
    /// STOP, the opt-out.
    Stop,
    /// Anything else.
    Text,
}

/// What the provider does about one accepted text after answering. Written to the log, so that it
/// stays what it was when the settings change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// How it ends.
    pub fate: Fate,
    /// What is answered, where a reply is wanted.
    pub reply: Option<ReplyKind>,
    /// Whether `sent` is called back.
    pub sent_callback: bool,
    /// Whether the final status is called back before `sent`.
    pub out_of_order: bool,
}

/// One thing that the provider tells the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Sent,
    Final(Fate),
    Reply(ReplyKind),
}

impl Default for Fates {
    fn default() -> Self {
        Self {
            sent_callback: true,
            sent_delay: Latency::Uniform { min_ms: 10.0, max_ms: 100.0 },
            final_delay: Latency::Lognormal { p50_ms: 300.0, p99_ms: 2_000.0 },
            undelivered_share: 0.0,
            failed_share: 0.0,
            reply_delay: Latency::Lognormal { p50_ms: 500.0, p99_ms: 5_000.0 },
            reply_yes_share: 0.0,
            reply_no_share: 0.0,
            reply_stop_share: 0.0,
            reply_text_share: 0.0,
        }
    }
}

impl Fates {
    /// The profile of an ordinary day: 1.5 % undelivered, 0.5 % failed; of the delivered, 8 % say
    /// YES, 1 % NO, 0.1 % STOP and 0.5 % something else.
    pub fn day() -> Self {
        Self {
            undelivered_share: 0.015,
            failed_share: 0.005,
            reply_yes_share: 0.08,
            reply_no_share: 0.01,
            reply_stop_share: 0.001,
            reply_text_share: 0.005,
            ..Self::default()
        }
    }

    /// Checks every share and both sums.
    pub fn check(&self) -> Result<(), FaultsError> {
        let mut wrong = Vec::new();
        let fates =
            [("undelivered_share", self.undelivered_share), ("failed_share", self.failed_share)];
        let replies = self.replies().map(|(kind, share)| (kind.share_name(), share));
        for (group, shares) in [("fates", &fates[..]), ("replies", &replies[..])] {
            for (name, share) in shares {
                check_share(&mut wrong, name, *share);
            }
            let sum: f64 = shares.iter().map(|(_, share)| share).sum();
            if sum > 1.0 {
                wrong
                    .push(format!("the shares of the {group} add up to {sum}, above 1: lower one"));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(FaultsError(wrong)) }
    }

    /// The plan for a text: the same for the same text, whatever came before it.
    pub(crate) fn plan(&self, faults: &Faults, key: Key) -> Plan {
        let unit = key.unit(Purpose::Fate, 0);
        let fate = if key.unit(Purpose::Blocked, 0) < faults.blocked_share {
            Fate::Undelivered
        } else if unit < self.failed_share {
            Fate::Failed
        } else if unit < self.failed_share + self.undelivered_share {
            Fate::Undelivered
        } else {
            Fate::Delivered
        };
        let out_of_order = key.unit(Purpose::OutOfOrder, 0) < faults.out_of_order_callback_share;
        let reply = (fate == Fate::Delivered).then(|| self.reply(key)).flatten();
        Plan { fate, reply, sent_callback: self.sent_callback, out_of_order }
    }

    /// How long after the step before it (or the acceptance) the n-th step of a plan is due.
    pub(crate) fn delay(&self, plan: Plan, n: usize, key: Key) -> Duration {
        match (n, plan.step(n)) {
            (_, Some(Step::Reply(_))) => self.reply_delay.at(key.unit(Purpose::ReplyDelay, 0)),
            (0, _) if plan.sent_callback => self.sent_delay.at(key.unit(Purpose::SentDelay, 0)),
            (0, _) => self.settled_within(key),
            (_, _) => self.last_delay(key),
        }
    }

    /// The status that a look-up shows this long after acceptance.
    pub(crate) fn status(&self, plan: Plan, key: Key, elapsed: Duration) -> &'static str {
        let sent = self.sent_delay.at(key.unit(Purpose::SentDelay, 0));
        if elapsed < sent {
            "queued"
        } else if plan.fate == Fate::Failed {
            plan.fate.status()
        } else if elapsed < sent + self.last_delay(key) {
            "sent"
        } else {
            plan.fate.status()
        }
    }

    /// How long after acceptance a text has its final status.
    pub(crate) fn settled_within(&self, key: Key) -> Duration {
        self.sent_delay.at(key.unit(Purpose::SentDelay, 0)) + self.last_delay(key)
    }

    fn last_delay(&self, key: Key) -> Duration {
        self.final_delay.at(key.unit(Purpose::FinalDelay, 0))
    }

    fn reply(&self, key: Key) -> Option<ReplyKind> {
        let unit = key.unit(Purpose::Reply, 0);
        let mut bound = 0.0;
        self.replies().into_iter().find_map(|(kind, share)| {
            bound += share;
            (unit < bound).then_some(kind)
        })
    }

    fn replies(&self) -> [(ReplyKind, f64); 4] {
        [
            (ReplyKind::Yes, self.reply_yes_share),
            (ReplyKind::No, self.reply_no_share),
            (ReplyKind::Stop, self.reply_stop_share),
            (ReplyKind::Text, self.reply_text_share),
        ]
    }
}

impl Plan {
    /// The n-th thing told about the text; `None` behind the last. A text that failed was never
    /// sent, so it has its final status alone.
    pub(crate) fn step(self, n: usize) -> Option<Step> {
        let last = Step::Final(self.fate);
        let both = self.sent_callback && self.fate != Fate::Failed;
        let reply = self.reply.map(Step::Reply);
        match (both, self.out_of_order, n) {
            (true, false, 0) | (true, true, 1) => Some(Step::Sent),
            (true, true, 0) | (true, false, 1) | (false, _, 0) => Some(last),
            (true, _, 2) | (false, _, 1) => reply,
            (_, _, _) => None,
        }
    }
}

impl Fate {
    /// Twilio's word for it.
    pub fn status(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
        }
    }

    /// Twilio's error code and its words, for what did not arrive.
    pub(crate) fn error(self, key: Key) -> Option<(u16, &'static str)> {
        const UNDELIVERED: [(u16, &str); 3] = [
            (30003, "Unreachable destination handset"),
            (30005, "Unknown destination handset"),
            (30006, "Landline or unreachable carrier"),
        ];
        const FAILED: [(u16, &str); 2] = [(30007, "Message filtered"), (30008, "Unknown error")];
        let draw = key.draw(Purpose::ErrorCode, 0) as usize;
        match self {
            Self::Delivered => None,
            Self::Undelivered => Some(UNDELIVERED[draw % UNDELIVERED.len()]),
            Self::Failed => Some(FAILED[draw % FAILED.len()]),
        }
    }
}

impl ReplyKind {
    /// What the recipient types.
    pub(crate) fn text(self, key: Key) -> &'static str {
        const YES: [&str; 3] = ["YES", "Yes", "yes "];
        const NO: [&str; 3] = ["NO", "No", "no"];
        const STOP: [&str; 2] = ["STOP", "Stop"];
        const TEXT: [&str; 4] = [
            "Running ten minutes late, sorry!",
            "Wer ist da? Größe passt nicht",
            "Thanks \u{1f44d}",
            "Can I bring my son along & is parking free?",
        ];
        let texts: &[&str] = match self {
            Self::Yes => &YES,
            Self::No => &NO,
            Self::Stop => &STOP,
            Self::Text => &TEXT,
        };
        texts[key.draw(Purpose::ReplyText, 0) as usize % texts.len()]
    }

    fn share_name(self) -> &'static str {
        match self {
            Self::Yes => "reply_yes_share",
            Self::No => "reply_no_share",
            Self::Stop => "reply_stop_share",
            Self::Text => "reply_text_share",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(fate: Fate, sent_callback: bool, out_of_order: bool) -> Vec<Step> {
        let reply = (fate == Fate::Delivered).then_some(ReplyKind::Yes);
        let plan = Plan { fate, reply, sent_callback, out_of_order };
        (0..).map_while(|n| plan.step(n)).collect()
    }

    #[test]
    fn steps_in_order_out_of_order_and_alone() {
        let [sent, delivered] = [Step::Sent, Step::Final(Fate::Delivered)];
        let yes = Step::Reply(ReplyKind::Yes);
        assert_eq!(plan(Fate::Delivered, true, false), [sent, delivered, yes]);
        assert_eq!(plan(Fate::Delivered, true, true), [delivered, sent, yes]);
        assert_eq!(plan(Fate::Delivered, false, true), [delivered, yes]);
        assert_eq!(plan(Fate::Undelivered, true, false), [sent, Step::Final(Fate::Undelivered)]);
        assert_eq!(plan(Fate::Failed, true, true), [Step::Final(Fate::Failed)]);
    }

    #[test]
    fn shares_come_out_as_asked_and_only_the_delivered_answer() {
        let fates = Fates { undelivered_share: 0.2, failed_share: 0.1, ..Fates::day() };
        let plans: Vec<Plan> =
            (0..10_000).map(|n| fates.plan(&Faults::day(), Key::of_number(5, n))).collect();
        let count = |fate| plans.iter().filter(|plan| plan.fate == fate).count();
        assert!((1_850..2_150).contains(&count(Fate::Undelivered)));
        assert!((900..1_100).contains(&count(Fate::Failed)));
        let replies = plans.iter().filter(|plan| plan.reply.is_some()).count();
        assert!((550..800).contains(&replies), "9.6 % of 7,000 came out as {replies}");
        assert!(plans.iter().all(|plan| plan.reply.is_none() || plan.fate == Fate::Delivered));
    }

    #[test]
    fn what_carriers_block_does_not_arrive_and_the_rest_fares_as_before() {
        let fates = Fates { failed_share: 0.1, ..Fates::day() };
        let plan = |blocked_share, n| {
            let faults = Faults { blocked_share, ..Faults::none() };
            fates.plan(&faults, Key::of_number(5, n))
        };
        assert!((0..1_000).all(|n| plan(1.0, n).fate == Fate::Undelivered));
        let (mut blocked, mut failed) = (0, 0);
        for n in 0..10_000 {
            let (with, without) = (plan(0.3, n), plan(0.0, n));
            blocked += u32::from(with != without);
            failed += u32::from(with.fate == Fate::Failed);
            assert!(with == without || with.fate == Fate::Undelivered);
        }
        // Some of the blocked would not have arrived anyway.
        assert!((2_750..3_150).contains(&blocked), "30 % of 10,000 came out as {blocked}");
        assert!((600..800).contains(&failed), "7 % of 10,000 came out as {failed}");
    }

    #[test]
    fn a_look_up_follows_the_clock() {
        let constant = |ms| Latency::Constant { ms };
        let fates =
            Fates { sent_delay: constant(10.0), final_delay: constant(90.0), ..Fates::default() };
        let key = Key::of_number(1, 1);
        let plan = fates.plan(&Faults::none(), key);
        let at = |ms| fates.status(plan, key, Duration::from_millis(ms));
        assert_eq!([at(9), at(10), at(99), at(100)], ["queued", "sent", "sent", "delivered"]);
    }

    #[test]
    fn mistakes_are_named() {
        let fates = Fates {
            failed_share: 2.0,
            reply_yes_share: 0.9,
            reply_no_share: 0.2,
            ..Fates::default()
        };
        let error = fates.check().unwrap_err().to_string();
        assert!(error.contains("failed_share is 2"), "{error}");
        assert!(error.contains("replies add up to 1.1"), "{error}");
    }
}
