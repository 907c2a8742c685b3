//! What became of the incidents: whether each ended well, and what was seen of it. Pure.

use schemars::JsonSchema;
use serde::Serialize;

use super::watch::merge;

/// The shape of `incidents.json`; the number rises when a reader of the old one would go wrong.
pub(super) const SCHEMA: &str = "punctual-loadtest-incidents/1";

/// All of it.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) size: u64,
    /// Who evaluated the alerts, in words.
    pub(super) watched_by: String,
    pub(super) outcomes: Vec<Outcome>,
    /// What part of the stack failed, so that nothing more could be done.
    pub(super) broken: Option<String>,
    pub(super) interrupted: bool,
}

/// What became of one.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Outcome {
    /// Which incident.
    pub(super) name: &'static str,
    /// What happens in it.
    pub(super) story: &'static str,
    /// How long it took.
    pub(super) seconds: f64,
    #[serde(flatten)]
    pub(super) found: Found,
}

/// What was found in one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub(super) struct Found {
    /// All of them hold, or it did not end well.
    pub(super) checks: Vec<Check>,
    /// What an operator could see in the metrics.
    pub(super) seen: Vec<Seen>,
    /// The alerts that were raised meanwhile.
    pub(super) alerts: Vec<Alert>,
}

/// Something that must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Check {
    /// What must hold.
    pub(super) what: String,
    /// Whether it does.
    pub(super) holds: bool,
    /// What was found.
    pub(super) found: String,
}

/// A series that says that something is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Seen {
    /// As Prometheus would be asked.
    pub(super) signal: String,
    /// From here on it says so.
    pub(super) from: f64,
    /// The highest value.
    pub(super) highest: f64,
    /// When it first said so, from the beginning of the scenario; none when it never did.
    pub(super) after_seconds: Option<f64>,
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Alert {
    /// Its name in the rules.
    pub(super) name: String,
    /// Firing, or pending until it has held for as long as its rule says.
    pub(super) state: String,
    /// What it is about: its labels but for its name and severity.
    pub(super) about: String,
    /// When it was raised, from the beginning of the scenario.
    pub(super) after_seconds: f64,
}

/// How all of it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ended {
    /// Each ended well and was seen.
    Passed,
    /// One didn't, or wasn't.
    Failed,
    /// A part of the stack failed, so that it can't be told.
    Invalid,
    /// Ctrl-C.
    Interrupted,
}

/// All that is written as JSON.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Document<'a> {
    /// Which shape this is.
    #[schemars(extend("const" = SCHEMA))]
    schema: &'static str,
    /// Texts in each incident, but for those that have a number of their own.
    size: u64,
    /// How all of it ended.
    ended: Ended,
    /// Who evaluated the alerts, in words.
    watched_by: &'a str,
    /// What became of each.
    incidents: &'a [Outcome],
    /// What part of the stack failed, so that nothing more could be done.
    broken: Option<&'a str>,
}

impl Found {
    /// Notes alerts; of the same one, the first.
    pub(super) fn raise(&mut self, alerts: &mut Vec<Alert>) {
        merge(&mut self.alerts, std::mem::take(alerts));
    }

    /// Notes whether something holds.
    pub(super) fn check(&mut self, what: &str, holds: bool, found: impl Into<String>) {
        self.checks.push(Check { what: what.to_owned(), holds, found: found.into() });
    }
}

impl Outcome {
    /// Whether it ended well and each of its signals said so.
    pub(super) fn is_well(&self) -> bool {
        let Found { checks, seen, alerts: _ } = &self.found;
        checks.iter().all(|check| check.holds)
            && seen.iter().all(|seen| seen.after_seconds.is_some())
    }
}

impl Facts {
    pub(super) const fn new(size: u64, watched_by: String) -> Self {
        Self { size, watched_by, outcomes: Vec::new(), broken: None, interrupted: false }
    }

    /// Whether each incident of those that came to their end ended well.
    pub(super) fn is_well(&self) -> bool {
        self.outcomes.iter().all(Outcome::is_well)
    }

    /// How all of it ended. What was stopped is not judged; what did not end well is told.
    pub(super) fn ended(&self) -> Ended {
        if self.interrupted {
            Ended::Interrupted
        } else if !self.is_well() {
            Ended::Failed
        } else if self.broken.is_some() {
            Ended::Invalid
        } else {
            Ended::Passed
        }
    }

    /// As it stands in the JSON.
    pub(super) fn document(&self) -> Document<'_> {
        Document {
            schema: SCHEMA,
            size: self.size,
            ended: self.ended(),
            watched_by: &self.watched_by,
            incidents: &self.outcomes,
            broken: self.broken.as_deref(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use expect_test::expect_file;

    use super::*;
    use crate::report::schema;

    pub(in crate::incidents) fn sample() -> Facts {
        let mut found = Found::default();
        found.check("all texts arrive", true, "2,000 of 2,000");
        found.seen.push(Seen {
            signal: "oldest_pending_seconds{stage=\"claim\"}".to_owned(),
            from: 2.5,
            highest: 7.25,
            after_seconds: Some(5.1),
        });
        found.alerts.push(Alert {
            name: "PunctualOldestPending".to_owned(),
            state: "pending".to_owned(),
            about: "stage=claim".to_owned(),
            after_seconds: 6.0,
        });
        let mut other = Found::default();
        other.check("all texts arrive", false, "150 of 400");
        let outcome = |name, found| Outcome { name, story: "It was slow.", seconds: 12.34, found };
        let mut facts = Facts::new(2_000, "Prometheus, each second".to_owned());
        facts.outcomes = vec![outcome("provider_slows", found), outcome("above_pool", other)];
        facts
    }

    #[test]
    fn it_ends_well_when_all_holds_and_all_was_seen() {
        let mut facts = sample();
        assert_eq!(facts.ended(), Ended::Failed);
        facts.outcomes.truncate(1);
        assert_eq!(facts.ended(), Ended::Passed);
        facts.interrupted = true;
        assert_eq!(facts.ended(), Ended::Interrupted);
        // What nobody could see is no good end, whatever became of the texts.
        facts.outcomes[0].found.seen[0].after_seconds = None;
        assert!(facts.ended() == Ended::Interrupted && !facts.is_well());
        facts.broken = Some("postgres is gone".to_owned());
        assert_eq!(facts.ended(), Ended::Interrupted);
        (facts.interrupted, facts.broken) = (false, None);
        assert_eq!(facts.ended(), Ended::Failed);
        facts = sample();
        facts.outcomes.truncate(1);
        facts.broken = Some("postgres is gone".to_owned());
        assert_eq!(facts.ended(), Ended::Invalid);
    }

    #[test]
    fn the_json_is_as_it_is_written_down() {
        let (facts, mut other) = (sample(), sample());
        other.outcomes[0].found.seen[0].after_seconds = None;
        other.broken = Some("postgres is gone".to_owned());
        let file = expect_file!["../../../docs/incidents.schema.json"];
        schema::check(file, &[facts.document(), other.document()]);
    }
}
