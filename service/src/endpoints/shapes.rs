//! Shapes of JSON that several endpoints share, and how stored states are called outside.
//!
//! Never here: a shape that one endpoint has alone.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::http::{Code, Problem};
use crate::ingest::IngestError;
use crate::phone::Phone;
use crate::practice::{Practice, Revision, Rule};
use crate::text;

/// A practice's settings and rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PracticeSettings {
    /// As texts name it.
    pub(crate) name: String,
    /// Its time zone in the tz database, such as `America/Sao_Paulo`.
    pub(crate) timezone: String,
    /// The number that its texts come from; no other practice's.
    pub(crate) sender: Phone,
    /// Nothing is sent before this local time, `HH:MM`.
    pub(crate) send_from: String,
    /// Nothing is sent from this local time on, `HH:MM`.
    pub(crate) send_until: String,
    /// Its rules; without them, a day before and two hours before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rules: Option<Vec<RuleSettings>>,
}

/// A reminder rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleSettings {
    /// From 1 to 100, unique in its practice.
    pub(crate) rule_id: i16,
    /// For people.
    pub(crate) name: String,
    /// Calendar days before the appointment, at its local wall time.
    #[serde(default)]
    pub(crate) before_days: i16,
    /// Minutes before that.
    #[serde(default)]
    pub(crate) before_minutes: i32,
    /// Appointments of one phone that are due in the same window of this length share one text.
    pub(crate) grouping_minutes: i32,
    /// Texts leave spread over this many seconds.
    #[serde(default)]
    pub(crate) scatter_seconds: i32,
    /// The text, as a template.
    pub(crate) template: String,
}

/// A practice as it is answered.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct PracticeAnswer {
    /// Its id.
    pub(crate) practice_id: i64,
    /// Raised by every change.
    pub(crate) revision: i32,
    /// Its settings and rules.
    #[serde(flatten)]
    pub(crate) settings: PracticeSettings,
}

impl PracticeAnswer {
    /// As it is stored.
    pub(crate) fn of(practice: &Practice) -> Self {
        let Practice { name, sender, newest } = practice;
        Self {
            practice_id: newest.practice_id,
            revision: newest.revision,
            settings: PracticeSettings {
                name: name.clone(),
                timezone: newest.timezone_name.clone(),
                // The table's constraint keeps it a phone number.
                sender: Phone::from_i64(*sender).expect("a stored sender is a phone"),
                send_from: hh_mm(newest.send_from),
                send_until: hh_mm(newest.send_until),
                rules: Some(newest.rules.iter().map(RuleSettings::of).collect()),
            },
        }
    }
}

impl RuleSettings {
    fn of(rule: &Rule) -> Self {
        Self {
            rule_id: rule.rule_id,
            name: rule.name.clone(),
            before_days: rule.before_days,
            before_minutes: rule.before_minutes,
            grouping_minutes: rule.grouping_minutes,
            scatter_seconds: rule.scatter_seconds,
            template: rule.template.clone(),
        }
    }
}

fn hh_mm(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

impl PracticeSettings {
    /// Checks the settings; all mistakes are told at once.
    pub(crate) fn check(self, practice_id: i64) -> Result<Practice, Problem> {
        let mut wrong = Vec::new();
        if !is_plain_text(&self.name, 1, 120) {
            wrong.push("name: must have 1 to 120 characters and no control characters".into());
        }
        let timezone = zone(&self.timezone);
        if timezone.is_none() {
            wrong.push(WRONG_ZONE.into());
        }
        let send_from = parse_hh_mm(&self.send_from);
        let send_until = parse_hh_mm(&self.send_until);
        if send_from.is_none() {
            wrong.push("send_from: must be a local time such as 08:00".into());
        }
        if send_until.is_none() {
            wrong.push("send_until: must be a local time such as 20:00".into());
        }
        if send_from.zip(send_until).is_some_and(|(from, until)| from >= until) {
            wrong.push("send_until: must be later than send_from".into());
        }
        let mut rules = match self.rules {
            Some(rules) => check_rules(rules, &mut wrong),
            None => text::default_rules(),
        };
        rules.sort_by_key(|rule| rule.rule_id);
        match (timezone, send_from, send_until) {
            (Some(timezone), Some(send_from), Some(send_until)) if wrong.is_empty() => {
                Ok(Practice {
                    name: self.name,
                    sender: self.sender.as_i64(),
                    newest: Arc::new(Revision {
                        practice_id,
                        revision: 0,
                        timezone,
                        timezone_name: self.timezone,
                        send_from,
                        send_until,
                        rules,
                    }),
                })
            }
            _ => Err(Problem::new(Code::Invalid, wrong.join("; "))),
        }
    }
}

fn check_rules(rules: Vec<RuleSettings>, wrong: &mut Vec<String>) -> Vec<Rule> {
    if rules.is_empty() || rules.len() > 10 {
        wrong.push("rules: there must be 1 to 10".into());
    }
    for (n, rule) in rules.iter().enumerate() {
        let mut say = |what: &str| wrong.push(format!("rules[{n}].{what}"));
        if !(1..=100).contains(&rule.rule_id) {
            say("rule_id: must be from 1 to 100");
        }
        if rules[..n].iter().any(|earlier| earlier.rule_id == rule.rule_id) {
            say("rule_id: stands twice");
        }
        if !is_plain_text(&rule.name, 1, 40) {
            say("name: must have 1 to 40 characters and no control characters");
        }
        if !(0..=60).contains(&rule.before_days) {
            say("before_days: must be from 0 to 60");
        }
        if !(0..=1440).contains(&rule.before_minutes) {
            say("before_minutes: must be from 0 to 1440");
        }
        if rule.before_days == 0 && rule.before_minutes == 0 {
            say("before_days: a reminder must come before its appointment");
        }
        if !(1..=1440).contains(&rule.grouping_minutes) {
            say("grouping_minutes: must be from 1 to 1440");
        }
        if !(0..=3600).contains(&rule.scatter_seconds) {
            say("scatter_seconds: must be from 0 to 3600");
        }
        if rule.template.contains('\0') || !(1..=1000).contains(&rule.template.chars().count()) {
            say("template: must have 1 to 1000 characters");
        } else if let Err(what) = text::validate(&rule.template) {
            say(&format!("template: {what}"));
        }
    }
    rules
        .into_iter()
        .map(|rule| Rule {
            rule_id: rule.rule_id,
            name: rule.name,
            before_days: rule.before_days,
            before_minutes: rule.before_minutes,
            grouping_minutes: rule.grouping_minutes,
            scatter_seconds: rule.scatter_seconds,
            template: rule.template,
        })
        .collect()
}

/// What is said of a zone that this program or the database doesn't know.
pub(super) const WRONG_ZONE: &str = "timezone: must be a zone that the service's and the \
    database's tz data both have, such as America/Sao_Paulo or UTC";

/// Files of tz databases that stand for no zone, or for whatever a machine was set to.
const NO_ZONES: [&str; 4] = ["Etc/Unknown", "Factory", "localtime", "posixrules"];

/// A zone of the tz database that means the same on every machine.
fn zone(name: &str) -> Option<TimeZone> {
    if name.len() > 64 || NO_ZONES.iter().any(|none| name.eq_ignore_ascii_case(none)) {
        return None;
    }
    TimeZone::get(name).ok()
}

/// `HH:MM`, exactly.
fn parse_hh_mm(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| {
        let is_plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_plain { digits.parse().ok() } else { None }
    };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

/// Text without control characters (which PostgreSQL or a phone would refuse), of a length.
pub(crate) fn is_plain_text(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// A client's name for an appointment: 1 to 64 of letters, digits and `. _ : -`.
pub(crate) fn is_appointment_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b))
}

/// A state or reason as it is stored.
pub(crate) type Stored = i8;

const fn is(stored: Stored, letter: u8) -> bool {
    stored == letter.cast_signed()
}

/// What became of a promise or a text, as it is called outside.
pub(crate) fn fate(
    intent: Stored,
    intent_reason: Option<Stored>,
    message: Option<Stored>,
    message_reason: Option<Stored>,
) -> &'static str {
    if is(intent, b'x') {
        return reason(intent_reason);
    }
    match message {
        Some(state) if is(state, b's') => "sent",
        Some(state) if is(state, b'f') => "failed",
        Some(state) if is(state, b'e') => "expired",
        Some(state) if is(state, b'a') => "ambiguous",
        Some(state) if is(state, b'x') => reason(message_reason),
        Some(_) | None => "pending",
    }
}

fn reason(stored: Option<Stored>) -> &'static str {
    match stored {
        // Its text tells of others, whose appointments are still ahead.
        Some(why) if is(why, b'e') => "expired",
        Some(why) if is(why, b'm') => "suppressed_moved",
        Some(why) if is(why, b'o') => "suppressed_opted_out",
        Some(why) if is(why, b'n') => "suppressed_not_allowed",
        Some(_) | None => "suppressed_cancelled",
    }
}

/// How far a text got, as it is called outside.
pub(crate) const fn receipt(rank: i16) -> Option<&'static str> {
    match rank {
        1 => Some("undelivered"),
        2 => Some("delivered"),
        3 => Some("read"),
        _ => None,
    }
}

/// What a patient answered, as it is called outside.
pub(crate) const fn reply(stored: Stored) -> &'static str {
    if is(stored, b'y') {
        "yes"
    } else if is(stored, b'n') {
        "no"
    } else if is(stored, b's') {
        "stop"
    } else {
        "text"
    }
}

impl From<IngestError> for Problem {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Full => {
                Self::new(Code::Overloaded, "Too many writes are waiting: try again in a moment.")
            }
            IngestError::Db(error) => error.into(),
        }
    }
}

/// The practice of a path that does not exist.
pub(crate) fn no_practice() -> Problem {
    Problem::new(Code::NotFound, "There is no practice of that id; PUT it first.")
}

/// The appointment of a path that does not exist.
pub(crate) fn no_appointment() -> Problem {
    Problem::new(Code::NotFound, "The practice has no appointment of that id.")
}

/// When appointments may begin: what PostgreSQL, calendars and phones all can show.
pub(crate) fn is_sane_start(at: Timestamp) -> bool {
    let earliest = Timestamp::constant(946_684_800, 0); // 2000-01-01
    let latest = Timestamp::constant(4_102_444_800, 0); // 2100-01-01
    (earliest..latest).contains(&at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_those_that_mean_the_same_everywhere() {
        for name in ["UTC", "America/Sao_Paulo", "europe/berlin", "Etc/GMT+3"] {
            assert!(zone(name).is_some(), "{name}");
        }
        let none = ["", "Mars/Olympus", "Etc/Unknown", "etc/unknown", "Factory", "localtime"];
        let others = ["LocalTime", "posixrules", "posix/UTC", "right/UTC", "XYZ5", "+03:00"];
        for name in none.into_iter().chain(others) {
            assert!(zone(name).is_none(), "{name}");
        }
    }

    #[test]
    fn local_times_are_four_digits() {
        assert_eq!(parse_hh_mm("08:05"), Some(Time::constant(8, 5, 0, 0)));
        for text in ["8:05", "+8:05", "08:+5", "-0:00", "24:00", "08:60", "08:05:00", "0805", ""] {
            assert_eq!(parse_hh_mm(text), None, "{text}");
        }
    }
}
