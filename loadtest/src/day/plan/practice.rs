//! A practice of the plan: its settings and its two rules, as put before the day.
//!
//! Never here: its patients (`households.rs`), or what its rules make of an appointment
//! (`model.rs`).

use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use super::options::{
    DAY_BEFORE_GROUPING, FIRST_PRACTICE_ID, MadeUp, Options, SEND_FROM, SEND_UNTIL, SLOT_MINUTES,
    ZoneShare,
};
use crate::day::draw::{Draw, Purpose};
use crate::day::people;
use crate::day::profile::HOURS;

/// Rules of a practice: a day before, two hours before.
pub(crate) const RULES: usize = 2;

/// When a practice reminds, and with which words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Rule {
    /// 1 or 2.
    pub rule_id: u16,
    /// `day_before` or `two_hours_before`.
    pub name: &'static str,
    /// Calendar days before the appointment, at its wall time.
    pub before_days: u16,
    /// Minutes before that.
    pub before_minutes: u16,
    /// Appointments of one phone within such a window of the day share a text.
    pub grouping_minutes: u16,
    /// Texts of a window are spread over this much of it.
    pub scatter_seconds: u32,
    /// The text.
    pub template: &'static str,
}

/// A practice.
#[derive(Debug, Clone, PartialEq)]
pub struct Practice {
    /// Its number at the service.
    pub practice_id: i64,
    /// Made up.
    pub name: String,
    /// IANA name.
    pub timezone: Arc<str>,
    /// The number that it sends from, without its `+`.
    pub sender: u64,
    /// Minutes since local midnight from which it sends.
    pub send_from: u16,
    /// Minutes since local midnight at which it stops.
    pub send_until: u16,
    /// What it reminds of.
    pub rules: [Rule; RULES],
    /// The day's texts of this practice: at least, at most.
    pub texts: (u32, u32),
    /// By the hour after the plan's origin in which they are due, at least.
    pub(crate) texts_by_hour: [u32; HOURS],
    pub(crate) index: u32,
    pub(crate) zone: usize,
    pub(crate) clinic: u32,
    pub(crate) slot_minutes: u16,
}

impl Practice {
    /// The practice of this index: a clinic drawn from the source, with made-up settings.
    pub(crate) fn draw(options: &Options, index: u32, clinics: u32) -> Self {
        let mut draw = Draw::new(options.seed, Purpose::Practice, index);
        let shares: Vec<f64> = options.zones.iter().map(|zone| zone.share).collect();
        let zone = draw.weighted(&shares);
        let ZoneShare { name, share: _ } = &options.zones[zone];
        let grouping = pick(&mut draw, &DAY_BEFORE_GROUPING);
        let number = options.first_practice_id + index;
        Self {
            practice_id: i64::from(number),
            name: people::practice_name(index),
            timezone: Arc::from(name.as_str()),
            // By its number, so that plans of other practices have other senders.
            sender: people::sender(number.saturating_sub(FIRST_PRACTICE_ID)),
            send_from: pick(&mut draw, &SEND_FROM),
            send_until: pick(&mut draw, &SEND_UNTIL),
            rules: [day_before(grouping), two_hours_before()],
            texts: (0, 0),
            texts_by_hour: [0; HOURS],
            index,
            zone,
            clinic: draw.below(clinics),
            slot_minutes: pick(&mut draw, &SLOT_MINUTES),
        }
    }

    /// Where it is put.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/v1/practices/{}", self.practice_id)
    }

    /// As it is put.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let body = json!({
            "name": self.name,
            "timezone": &*self.timezone,
            "sender": format!("+{}", self.sender),
            "send_from": wall(self.send_from),
            "send_until": wall(self.send_until),
            "rules": self.rules,
        });
        body.to_string().into_bytes()
    }

    /// A household's phone: its own, or one that a household of every practice may have.
    pub(crate) fn phone(&self, made_up: &MadeUp, household: u32, draw: &mut Draw) -> u64 {
        if draw.chance(made_up.roaming_phone) {
            people::roaming_phone(household)
        } else {
            people::own_phone(self.index, household)
        }
    }
}

const fn day_before(grouping_minutes: u16) -> Rule {
    Rule {
        rule_id: 1,
        name: "day_before",
        before_days: 1,
        before_minutes: 0,
        grouping_minutes,
        scatter_seconds: 3_600,
        template: DAY_BEFORE_TEMPLATE,
    }
}

const fn two_hours_before() -> Rule {
    Rule {
        rule_id: 2,
        name: "two_hours_before",
        before_days: 0,
        before_minutes: 120,
        grouping_minutes: 15,
        scatter_seconds: 900,
        template: TWO_HOURS_BEFORE_TEMPLATE,
    }
}

/// All appointments of the text, with what to mind.
const DAY_BEFORE_TEMPLATE: &str = "{{ practice }}: {% for a in appointments %}\
    {% if a.patient %}{{ a.patient }}, {% endif %}{{ a.when }}.\
    {% if a.instructions %} {{ a.instructions }}{% endif %} {% endfor %}\
    Reply YES to confirm, NO to cancel, STOP to end.";
/// Shorter: nothing can be cancelled any more.
const TWO_HOURS_BEFORE_TEMPLATE: &str = "{{ practice }}: see you soon.{% for a in appointments %} \
    {% if a.patient %}{{ a.patient }}, {% endif %}{{ a.when }}.{% endfor %}";

fn pick(draw: &mut Draw, choices: &[(u16, f64)]) -> u16 {
    let shares: Vec<f64> = choices.iter().map(|(_, share)| *share).collect();
    choices[draw.weighted(&shares)].0
}

fn wall(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_practice_is_put_as_the_api_says() {
        let practice = Practice::draw(&Options::default(), 3, 79);
        assert_eq!(practice.path(), "/v1/practices/1004");
        let body: serde_json::Value = serde_json::from_slice(&practice.body()).unwrap();
        assert_eq!(body["sender"], "+9990000000003");
        assert_eq!(body["rules"][1]["name"], "two_hours_before");
        assert_eq!(body["rules"][1]["before_minutes"], 120);
        assert!(body["send_from"].as_str().unwrap() < body["send_until"].as_str().unwrap());
        assert_eq!(body["name"], "Station Dental Practice 4");
    }

    #[test]
    fn the_templates_are_whole_sentences() {
        let appointment = |patient: &str, instructions: &str| {
            minijinja::context! { patient, when => "tomorrow at 09:30", instructions }
        };
        let appointments = [appointment("Ana Dias", "Bring your card."), appointment("", "")];
        let context = minijinja::context! { practice => "North Eye Clinic 9", appointments };
        let texts = [DAY_BEFORE_TEMPLATE, TWO_HOURS_BEFORE_TEMPLATE].map(|template| {
            let environment = minijinja::Environment::new();
            environment.render_str(template, &context).unwrap()
        });
        expect_test::expect![[r#"
            North Eye Clinic 9: Ana Dias, tomorrow at 09:30. Bring your card. tomorrow at 09:30. Reply YES to confirm, NO to cancel, STOP to end.
            North Eye Clinic 9: see you soon. Ana Dias, tomorrow at 09:30. tomorrow at 09:30."#]].assert_eq(&texts.join("\n"));
    }
}
