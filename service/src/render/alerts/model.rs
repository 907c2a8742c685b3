//! What a rule is, before it is written: alerts and recorded series, in groups, in files.
//!
//! Belongs here: what every alert carries, and how links are made. Never here: a rule.

use contract::tier::Tier;

pub(super) use crate::render::dashboards::Uid as Board;

/// Where the documents are read by whoever is paged. Names that end in `.example` belong to
/// nobody: whoever runs this renders with their own, and for [`GRAFANA_URL`].
pub(in crate::render) const DOCS_URL: &str = "https://punctual.example/docs";

/// Where the dashboards are.
pub(in crate::render) const GRAFANA_URL: &str = "https://grafana.example";

/// Where a dashboard is, a template: that of one endpoint opens on the one that is meant.
fn dashboard_url(board: Board) -> String {
    let chosen = match board {
        Board::Endpoint => "?var-job={{$labels.job}}&var-http_route={{$labels.http_route}}",
        Board::Overview | Board::Database | Board::Pipeline | Board::Capacity => "",
    };
    format!("{GRAFANA_URL}/d/{}{chosen}", board.name())
}

/// The job under which Prometheus scrapes the service.
pub(super) const JOB: &str = "punctual";

/// The job under which it scrapes node_exporter on the machines that the service depends on.
pub(in crate::render) const NODE_JOB: &str = "node";

/// What has to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// Is there to be seen.
    Info,
    /// A ticket: somebody acts in working hours.
    Warning,
    /// Pages: somebody acts now.
    Critical,
}

impl Severity {
    pub(super) const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// The runbook's section on an alert, as the forges make anchors of headings.
pub(super) fn runbook_url(alert: &str) -> String {
    format!("{DOCS_URL}/runbook.md#{}", alert.to_lowercase())
}

/// A rule that notifies.
#[derive(Debug, Clone)]
pub(super) struct Alert {
    pub(super) name: &'static str,
    /// Where its numbers come from: a comment in the file.
    pub(super) why: String,
    pub(super) expr: String,
    /// How long the expression must hold.
    pub(super) hold: &'static str,
    /// How long it goes on after the expression last held.
    pub(super) keep: Option<&'static str>,
    pub(super) severity: Severity,
    /// Further labels.
    pub(super) labels: Vec<(&'static str, String)>,
    /// Labels of the series that it is about, with the values that they may have: first the rows
    /// of a table, of which each has its cases.
    pub(super) watches: Vec<(&'static str, Vec<&'static str>)>,
    /// One sentence, the same for every firing.
    pub(super) summary: String,
    /// What is wrong in plain words; a template.
    pub(super) description: String,
    pub(super) board: Board,
}

impl Alert {
    /// An alert that fires at once and says nothing yet.
    pub(super) fn new(name: &'static str, severity: Severity, board: Board) -> Self {
        Self {
            name,
            why: String::new(),
            expr: String::new(),
            hold: "0s",
            keep: None,
            severity,
            labels: Vec::new(),
            watches: Vec::new(),
            summary: String::new(),
            description: String::new(),
            board,
        }
    }

    pub(super) fn when(mut self, expr: impl Into<String>) -> Self {
        self.expr = expr.into();
        self
    }

    pub(super) fn hold(mut self, hold: &'static str) -> Self {
        self.hold = hold;
        self
    }

    pub(super) fn keep(mut self, keep: &'static str) -> Self {
        self.keep = Some(keep);
        self
    }

    pub(super) fn tier(self, tier: Tier) -> Self {
        self.label("slo_tier", tier.name())
    }

    pub(super) fn label(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.labels.push((name, value.into()));
        self
    }

    pub(super) fn watching(
        mut self,
        label: &'static str,
        values: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        self.watches.push((label, values.into_iter().collect()));
        self
    }

    pub(super) fn why(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    pub(super) fn says(
        mut self,
        summary: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        (self.summary, self.description) = (summary.into(), description.into());
        self
    }

    /// All labels that the rule itself sets.
    pub(super) fn all_labels(&self) -> Vec<(&'static str, String)> {
        let mut labels = vec![("severity", self.severity.name().to_owned())];
        labels.extend(self.labels.iter().cloned());
        labels
    }

    /// All annotations, as templates.
    pub(super) fn annotations(&self) -> [(&'static str, String); 4] {
        [
            ("summary", self.summary.clone()),
            ("description", self.description.clone()),
            ("runbook_url", runbook_url(self.name)),
            ("dashboard_url", dashboard_url(self.board)),
        ]
    }
}

/// A series that others are made of.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) why: String,
    pub(super) expr: String,
    pub(super) labels: Vec<(&'static str, String)>,
}

impl Record {
    pub(super) fn new(name: impl Into<String>, expr: impl Into<String>) -> Self {
        Self { name: name.into(), why: String::new(), expr: expr.into(), labels: Vec::new() }
    }

    pub(super) fn why(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    pub(super) fn label(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.labels.push((name, value.into()));
        self
    }
}

/// One of the two.
#[derive(Debug, Clone)]
pub(super) enum Rule {
    Record(Record),
    Alert(Alert),
}

impl From<Record> for Rule {
    fn from(record: Record) -> Self {
        Self::Record(record)
    }
}

impl From<Alert> for Rule {
    fn from(alert: Alert) -> Self {
        Self::Alert(alert)
    }
}

/// Rules that are evaluated one after the other, at one instant.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) interval: &'static str,
    pub(super) rules: Vec<Rule>,
}

/// A file of rules.
#[derive(Debug, Clone)]
pub(super) struct RuleFile {
    /// `alerts/<name>.rules.yaml`.
    pub(super) name: &'static str,
    /// What belongs there.
    pub(super) about: &'static str,
    pub(super) groups: Vec<Group>,
}

impl RuleFile {
    pub(super) fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.groups.iter().flat_map(|group| &group.rules).filter_map(|rule| match rule {
            Rule::Alert(alert) => Some(alert),
            Rule::Record(_) => None,
        })
    }
}

/// How many seconds a length of time is, as Prometheus writes it.
#[cfg(test)]
pub(super) fn seconds(length: &str) -> u64 {
    let (n, unit) = length.split_at(length.len() - 1);
    let each = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        unit => panic!("{unit}"),
    };
    n.parse::<u64>().expect("a whole number") * each
}

/// Lines of an expression.
pub(super) fn lines<const N: usize>(lines: [String; N]) -> String {
    lines.join("\n")
}

/// A matcher of one label for a list of values.
pub(super) fn one_of(label: &str, values: &[&str]) -> String {
    match values {
        [value] => format!("{label}=\"{value}\""),
        values => format!("{label}=~\"{}\"", values.join("|")),
    }
}
