//! What a promtool case is, before it is written: series over time, and which alerts fire then.
//!
//! Never here: the cases (`cases`).

use super::model::Alert;

/// Labels and their values, as written by hand.
pub(super) type Labels = &'static [(&'static str, &'static str)];

/// The same, as found in a table.
pub(super) type Pairs = Vec<(&'static str, String)>;

/// An alert that fires.
#[derive(Debug, Clone)]
pub(super) struct Fires {
    /// Which of the rules of that name: labels that it sets.
    pub(super) rule: Pairs,
    /// The labels of its series.
    pub(super) labels: Pairs,
    /// What it says, as people read it.
    pub(super) says: String,
}

/// Rows that a rule is about, each of which fires. What they say is another case's business.
#[derive(Debug, Clone)]
pub(super) struct RowsFire {
    /// All labels that the rule sets.
    pub(super) rule: Pairs,
    /// The label that names a row.
    pub(super) label: &'static str,
    pub(super) rows: Vec<&'static str>,
}

/// One alert at one instant.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// The alert.
    pub(super) alert: &'static str,
    /// What happens, in words.
    pub(super) story: String,
    /// Series, and their values in promtool's notation.
    pub(super) series: Vec<(String, String)>,
    /// When it is looked at.
    pub(super) at: String,
    /// What fires then; nothing if it must stay silent.
    pub(super) fires: Vec<Fires>,
    /// Or which rows do.
    pub(super) rows: Vec<RowsFire>,
}

impl Case {
    /// A case in which nothing fires yet.
    pub(super) fn new(
        alert: &'static str,
        story: impl Into<String>,
        at: impl Into<String>,
    ) -> Self {
        let (story, at) = (story.into(), at.into());
        Self { alert, story, series: Vec::new(), at, fires: Vec::new(), rows: Vec::new() }
    }

    /// With a series of this family.
    pub(super) fn series(self, name: &str, labels: &str, values: impl Into<String>) -> Self {
        let labels = if labels.is_empty() { String::new() } else { format!(",{labels}") };
        let series = format!("{name}{{job=\"punctual\",instance=\"a:9090\"{labels}}}");
        self.foreign_series(series, values)
    }

    /// With a series that isn't the service's.
    pub(super) fn foreign_series(mut self, series: String, values: impl Into<String>) -> Self {
        self.series.push((series, values.into()));
        self
    }

    /// Which fires.
    pub(super) fn fires(self, rule: Labels, labels: Labels, says: impl Into<String>) -> Self {
        let pairs =
            |labels: Labels| labels.iter().map(|(name, value)| (*name, (*value).to_owned()));
        self.fires_as(pairs(rule).collect(), pairs(labels).collect(), says)
    }

    /// The same, of a rule that is at hand.
    pub(super) fn fires_of(self, rule: &Alert, labels: Pairs, says: impl Into<String>) -> Self {
        self.fires_as(rule.all_labels(), labels, says)
    }

    /// All rows of a rule do.
    pub(super) fn all_rows_fire(mut self, rule: &Alert) -> Self {
        let (label, rows) = rule.watches.first().expect("a rule that is about rows").clone();
        self.rows.push(RowsFire { rule: rule.all_labels(), label, rows });
        self
    }

    fn fires_as(mut self, rule: Pairs, labels: Pairs, says: impl Into<String>) -> Self {
        self.fires.push(Fires { rule, labels, says: says.into() });
        self
    }
}

/// Whether labels are among those that a rule sets.
pub(super) fn is_of(labels: &[(&'static str, String)], rule: &Alert) -> bool {
    let all = rule.all_labels();
    labels.iter().all(|label| all.contains(label))
}

/// A file of cases.
#[derive(Debug, Clone)]
pub(super) struct CaseFile {
    /// `alerts/tests/<name>.yaml`.
    pub(super) name: &'static str,
    /// The file of rules that they are about.
    pub(super) rules: &'static str,
    /// Between two samples.
    pub(super) interval: &'static str,
    /// Between two evaluations.
    pub(super) evaluation: &'static str,
    pub(super) cases: Vec<Case>,
}
