//! Panels: what one shows, and how Grafana wants it written (classic JSON).
//!
//! Belongs here: kinds of panels and their options. Never here: an expression, and where a panel
//! stands (`board`).

use serde_json::{Value, json};

use super::Uid;
use super::expr::{Expr, Unit};

/// The data source that was chosen at the top of the page.
pub(super) fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// What kind of panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Numbers as of now.
    Stat,
    /// Lines.
    Lines,
    /// A table, a query a column.
    Table,
    /// The buckets of a histogram.
    Heat,
}

/// One query of a panel.
#[derive(Debug, Clone)]
struct Target {
    expr: Expr,
    legend: String,
    /// Shows exemplars: only histograms that keep some have them.
    has_exemplars: bool,
}

/// Which values are bad, in rising order of value: each colour from its value on.
pub(super) type Steps = &'static [(f64, &'static str)];

/// Anything but zero is wrong.
pub(super) const ZERO: Steps = &[(f64::NEG_INFINITY, "green"), (1e-9, "red")];
/// Anything but zero is worth a look.
pub(super) const FEW: Steps = &[(f64::NEG_INFINITY, "green"), (1e-9, "orange")];
/// A share of something bounded.
pub(super) const FULL: Steps = &[(f64::NEG_INFINITY, "green"), (0.7, "orange"), (0.9, "red")];
/// A share of bad events.
pub(super) const BAD: Steps = &[(f64::NEG_INFINITY, "green"), (0.001, "orange"), (0.01, "red")];
/// What is left of a budget.
pub(super) const LEFT: Steps = &[(f64::NEG_INFINITY, "red"), (0.0, "orange"), (0.25, "green")];
/// How fast a budget goes. At 14.4 two per cent of thirty days' go in an hour.
pub(super) const PACE: Steps = &[(f64::NEG_INFINITY, "green"), (1.0, "orange"), (14.4, "red")];
/// Nothing to judge.
pub(super) const PLAIN: Steps = &[(f64::NEG_INFINITY, "blue")];

/// A panel.
#[derive(Debug, Clone)]
pub(super) struct Panel {
    kind: Kind,
    title: String,
    description: String,
    targets: Vec<Target>,
    steps: Steps,
    /// Where to look further.
    links: Vec<(String, String)>,
    /// The labels that a table has as columns, with what is written over them.
    columns: Vec<(&'static str, &'static str)>,
    is_stacked: bool,
}

impl Panel {
    fn new(kind: Kind, title: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            kind,
            title: title.into(),
            description: description.into(),
            targets: Vec::new(),
            steps: PLAIN,
            links: Vec::new(),
            columns: Vec::new(),
            is_stacked: false,
        }
    }

    /// Lines over time.
    pub(super) fn lines(title: impl Into<String>, description: impl Into<String>) -> Self {
        Self::new(Kind::Lines, title, description)
    }

    /// Numbers as of now, coloured by what they mean.
    pub(super) fn stat(
        title: impl Into<String>,
        steps: Steps,
        description: impl Into<String>,
    ) -> Self {
        Self { steps, ..Self::new(Kind::Stat, title, description) }
    }

    /// A table: a row for each set of these labels, a column for each query.
    pub(super) fn table(
        title: impl Into<String>,
        columns: &[(&'static str, &'static str)],
        description: impl Into<String>,
    ) -> Self {
        Self { columns: columns.to_vec(), ..Self::new(Kind::Table, title, description) }
    }

    /// How often which value was measured, as colours.
    pub(super) fn heat(title: impl Into<String>, description: impl Into<String>) -> Self {
        Self::new(Kind::Heat, title, description)
    }

    /// With a query; in a table the legend is the column's head.
    pub(super) fn query(mut self, expr: Expr, legend: &str) -> Self {
        self.targets.push(Target { expr, legend: legend.to_owned(), has_exemplars: false });
        self
    }

    /// With a query over a histogram that keeps examples, which lead to requests.
    pub(super) fn query_with_examples(mut self, expr: Expr, legend: &str) -> Self {
        self.targets.push(Target { expr, legend: legend.to_owned(), has_exemplars: true });
        self
    }

    /// With a link to another dashboard, which keeps the time and what was chosen.
    pub(super) fn link(self, uid: Uid) -> Self {
        self.link_with(uid, "")
    }

    /// The same with something chosen there, as in `&var-x=y`.
    pub(super) fn link_with(mut self, uid: Uid, more: &str) -> Self {
        let kept = "${__url_time_range}&${datasource:queryparam}&${job:queryparam}\
                    &${instance:queryparam}";
        self.links.push((uid.title().to_owned(), format!("{}?{kept}{more}", uid.path())));
        self
    }

    /// Lines upon each other: parts of a whole.
    pub(super) fn stacked(self) -> Self {
        Self { is_stacked: true, ..self }
    }

    /// As Grafana reads it.
    ///
    /// # Panics
    /// When its queries are of different units: one axis can't show both. A table can.
    pub(super) fn json(&self, id: usize, position: &Value) -> Value {
        let unit = self.targets.first().expect("a panel shows something").expr.unit;
        let is_table = self.kind == Kind::Table;
        let agree = self.targets.iter().all(|target| target.expr.unit == unit);
        assert!(is_table || agree, "{}: one axis, several units", self.title);
        let targets = self.targets.iter().enumerate();
        let mut json = json!({
            "id": id,
            "type": self.kind.plugin(),
            "title": self.title,
            "description": self.description,
            "datasource": datasource(),
            "gridPos": position,
            "targets": targets.map(|(at, target)| self.target(at, target)).collect::<Vec<_>>(),
            "fieldConfig": { "defaults": self.defaults(unit), "overrides": self.overrides() },
            "options": self.options(unit),
            "links": [],
        });
        if is_table {
            json["transformations"] = self.transformations();
        }
        json
    }

    fn target(&self, at: usize, target: &Target) -> Value {
        let is_now = matches!(self.kind, Kind::Stat | Kind::Table);
        let format = match self.kind {
            Kind::Table => "table",
            Kind::Heat => "heatmap",
            Kind::Stat | Kind::Lines => "time_series",
        };
        json!({
            "refId": reference(at),
            "datasource": datasource(),
            "editorMode": "code",
            "expr": target.expr.promql,
            "legendFormat": if self.kind == Kind::Heat { "{{le}}" } else { &target.legend },
            "format": format,
            "instant": is_now,
            "range": !is_now,
            "exemplar": target.has_exemplars,
        })
    }

    fn defaults(&self, unit: Unit) -> Value {
        let steps = self.steps.iter().map(|(from, color)| {
            let from = from.is_finite().then_some(from);
            json!({ "color": color, "value": from })
        });
        let links = self.links.iter().map(|(title, url)| json!({ "title": title, "url": url }));
        let is_judged = self.kind == Kind::Stat;
        json!({
            "unit": unit.grafana(),
            "color": { "mode": if is_judged { "thresholds" } else { "palette-classic" } },
            "thresholds": { "mode": "absolute", "steps": steps.collect::<Vec<_>>() },
            "mappings": [],
            "links": links.collect::<Vec<_>>(),
            "custom": self.custom(),
        })
    }

    fn custom(&self) -> Value {
        match self.kind {
            Kind::Lines => json!({
                "drawStyle": "line",
                // From zero, unless something is below.
                "axisSoftMin": 0,
                "lineWidth": 1,
                "fillOpacity": if self.is_stacked { 30 } else { 0 },
                "showPoints": "never",
                "spanNulls": false,
                "stacking": {
                    "mode": if self.is_stacked { "normal" } else { "none" }, "group": "A",
                },
            }),
            Kind::Heat => json!({ "scaleDistribution": { "type": "linear" } }),
            Kind::Table => json!({ "align": "auto", "filterable": true }),
            Kind::Stat => json!({}),
        }
    }

    fn options(&self, unit: Unit) -> Value {
        match self.kind {
            Kind::Stat => json!({
                "colorMode": "background",
                "graphMode": "none",
                "justifyMode": "auto",
                "orientation": "auto",
                "percentChangeColorMode": "standard",
                "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
                "showPercentChange": false,
                "textMode": "auto",
                "wideLayout": true,
            }),
            Kind::Lines => json!({
                "legend": {
                    "displayMode": "table",
                    "placement": "bottom",
                    "showLegend": true,
                    "calcs": ["lastNotNull", "max"],
                },
                "tooltip": { "mode": "multi", "sort": "desc" },
            }),
            Kind::Table => json!({
                "cellHeight": "sm", "frameIndex": 0, "showHeader": true, "sortBy": [],
            }),
            Kind::Heat => heat_options(unit),
        }
    }

    /// A column a query, each with its own unit; the one that is judged is coloured.
    fn overrides(&self) -> Vec<Value> {
        if self.kind != Kind::Table {
            return Vec::new();
        }
        let of = |target: &Target| {
            json!({
                "matcher": { "id": "byName", "options": target.legend },
                "properties": [{ "id": "unit", "value": target.expr.unit.grafana() }],
            })
        };
        self.targets.iter().map(of).collect()
    }

    /// One row for each set of labels: the results of the queries side by side, under their names.
    fn transformations(&self) -> Value {
        let mut names = serde_json::Map::new();
        let mut order = serde_json::Map::new();
        for (at, (label, head)) in self.columns.iter().enumerate() {
            names.insert((*label).to_owned(), json!(head));
            order.insert((*label).to_owned(), json!(at));
        }
        for (at, target) in self.targets.iter().enumerate() {
            let value = format!("Value #{}", reference(at));
            order.insert(value.clone(), json!(self.columns.len() + at));
            names.insert(value, json!(target.legend));
        }
        json!([
            { "id": "merge", "options": {} },
            {
                "id": "organize",
                "options": {
                    "excludeByName": { "Time": true },
                    "includeByName": {},
                    "indexByName": order,
                    "renameByName": names,
                },
            },
        ])
    }
}

impl Kind {
    /// The plugin that draws it.
    const fn plugin(self) -> &'static str {
        match self {
            Self::Stat => "stat",
            Self::Lines => "timeseries",
            Self::Table => "table",
            Self::Heat => "heatmap",
        }
    }
}

/// The height of a bucket is a count; where it stands is a time.
fn heat_options(cells: Unit) -> Value {
    json!({
        "calculate": false,
        "cellGap": 1,
        "cellValues": { "unit": cells.grafana() },
        "color": {
            "exponent": 0.5, "fill": "dark-orange", "mode": "scheme", "reverse": false,
            "scale": "exponential", "scheme": "Oranges", "steps": 64,
        },
        "exemplars": { "color": "rgba(255,0,255,0.7)" },
        "filterValues": { "le": 1e-9 },
        "legend": { "show": true },
        "rowsFrame": { "layout": "auto" },
        "showValue": "never",
        "tooltip": { "mode": "single", "showColorScale": false, "yHistogram": true },
        "yAxis": { "axisPlacement": "left", "reverse": false, "unit": Unit::Seconds.grafana() },
    })
}

/// The letter by which a panel knows a query.
fn reference(at: usize) -> char {
    char::from(b'A' + u8::try_from(at).expect("a panel has few queries"))
}
