//! What a promtool case is, before it is written: series over time, and which alerts fire then.
//!
//! Never here: the cases (`cases`).

/// Labels and their values.
pub(super) type Labels = &'static [(&'static str, &'static str)];

/// An alert that fires.
#[derive(Debug, Clone)]
pub(super) struct Fires {
    /// Which of the rules of that name: labels that it sets.
    pub(super) rule: Labels,
    /// The labels of its series.
    pub(super) labels: Labels,
    /// What it says, as people read it.
    pub(super) says: String,
}

/// One alert at one instant.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// The alert.
    pub(super) alert: &'static str,
    /// What happens, in words.
    pub(super) story: &'static str,
    /// Series, and their values in promtool's notation.
    pub(super) series: Vec<(String, String)>,
    /// When it is looked at.
    pub(super) at: &'static str,
    /// What fires then; nothing if it must stay silent.
    pub(super) fires: Vec<Fires>,
}

impl Case {
    /// A case in which nothing fires yet.
    pub(super) fn new(alert: &'static str, story: &'static str, at: &'static str) -> Self {
        Self { alert, story, series: Vec::new(), at, fires: Vec::new() }
    }

    /// With a series of this family.
    pub(super) fn series(mut self, name: &str, labels: &str, values: impl Into<String>) -> Self {
        let labels = if labels.is_empty() { String::new() } else { format!(",{labels}") };
        let series = format!("{name}{{job=\"punctual\",instance=\"a:9090\"{labels}}}");
        self.series.push((series, values.into()));
        self
    }

    /// Which fires.
    pub(super) fn fires(mut self, rule: Labels, labels: Labels, says: impl Into<String>) -> Self {
        self.fires.push(Fires { rule, labels, says: says.into() });
        self
    }
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
