//! A dashboard: rows of panels under each other, with what is chosen at its top, marks at deploys
//! and links to the other dashboards.
//!
//! Belongs here: what every dashboard has. Never here: what one of them shows.

use contract::Family;
use serde_json::{Value, json};

use super::Uid;
use super::expr;
use super::panel::{Panel, datasource};

/// The first row of every dashboard.
pub(super) const WRONG: &str = "What is wrong now";

/// Grafana's grid has this many columns.
const COLUMNS: usize = 24;

/// The classic format as Grafana 11 and 12 write it; older ones read it as well.
const SCHEMA_VERSION: u32 = 39;

/// Something else to choose at the top than the processes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    /// The variable, which is a label.
    pub(super) label: &'static str,
    /// As people see it.
    pub(super) title: &'static str,
    /// Whose series have the label.
    pub(super) family: Family,
    /// What is chosen at first.
    pub(super) first: &'static str,
}

/// A dashboard.
#[derive(Debug)]
pub(super) struct Board {
    uid: Uid,
    description: &'static str,
    choice: Option<Choice>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    title: String,
    /// With their widths and heights.
    panels: Vec<(Panel, usize, usize)>,
}

impl Board {
    pub(super) fn new(uid: Uid, description: &'static str) -> Self {
        Self { uid, description, choice: None, rows: Vec::new() }
    }

    /// With something more to choose.
    pub(super) fn choose(self, choice: Choice) -> Self {
        Self { choice: Some(choice), ..self }
    }

    /// With a row of panels, all of this width and height; they wrap where the grid ends.
    pub(super) fn row(
        mut self,
        title: impl Into<String>,
        (width, height): (usize, usize),
        panels: impl IntoIterator<Item = Panel>,
    ) -> Self {
        let panels = panels.into_iter().map(|panel| (panel, width, height)).collect();
        self.rows.push(Row { title: title.into(), panels });
        self
    }

    /// With more panels, of another size, in its last row.
    pub(super) fn and(
        mut self,
        (width, height): (usize, usize),
        panels: impl IntoIterator<Item = Panel>,
    ) -> Self {
        let row = self.rows.last_mut().expect("a row was begun");
        row.panels.extend(panels.into_iter().map(|panel| (panel, width, height)));
        self
    }

    /// The titles of its rows.
    #[cfg(test)]
    pub(super) fn rows(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().map(|row| row.title.as_str())
    }

    /// The file.
    pub(super) fn text(&self) -> String {
        let json = json!({
            "id": null,
            "uid": self.uid.name(),
            "title": self.uid.title(),
            "description": self.description,
            "tags": ["punctual"],
            "editable": false,
            "schemaVersion": SCHEMA_VERSION,
            "graphTooltip": 1,
            "refresh": "30s",
            "time": { "from": "now-3h", "to": "now" },
            "timepicker": {},
            "timezone": "browser",
            "fiscalYearStartMonth": 0,
            "links": self.links(),
            "annotations": { "list": annotations() },
            "templating": { "list": self.variables() },
            "panels": self.panels(),
        });
        let text = serde_json::to_string_pretty(&json).expect("a dashboard is JSON");
        text + "\n"
    }

    fn panels(&self) -> Vec<Value> {
        let mut placed = Vec::new();
        let (mut id, mut y) = (1, 0);
        for row in &self.rows {
            placed.push(json!({
                "id": id, "type": "row", "title": row.title, "collapsed": false, "panels": [],
                "gridPos": { "h": 1, "w": COLUMNS, "x": 0, "y": y },
            }));
            (id, y) = (id + 1, y + 1);
            let (mut x, mut tallest) = (0, 0);
            for (panel, width, height) in &row.panels {
                if x + width > COLUMNS {
                    (x, y, tallest) = (0, y + tallest, 0);
                }
                let position = json!({ "h": height, "w": width, "x": x, "y": y });
                placed.push(panel.json(id, &position));
                (id, x, tallest) = (id + 1, x + width, tallest.max(*height));
            }
            y += tallest;
        }
        placed
    }

    /// To all the others: from the overview down, and back.
    fn links(&self) -> Vec<Value> {
        let others = Uid::ALL.into_iter().filter(|uid| *uid != self.uid);
        let link = |uid: Uid| {
            json!({
                "type": "link", "title": uid.title(), "url": uid.path(), "tooltip": "",
                "icon": "dashboard", "tags": [], "asDropdown": false, "includeVars": true,
                "keepTime": true, "targetBlank": false,
            })
        };
        others.map(link).collect()
    }

    fn variables(&self) -> Vec<Value> {
        let build = Family::BuildInfo.name();
        let mut list = vec![
            json!({
                "name": "datasource", "label": "Data source", "type": "datasource",
                "query": "prometheus", "regex": "", "refresh": 1, "multi": false,
                "includeAll": false, "hide": 0, "options": [], "skipUrlSync": false,
            }),
            variable("job", "Job", &format!("label_values({build}, job)"), None),
            variable(
                "instance",
                "Instance",
                &format!("label_values({build}{{job=~\"$job\"}}, instance)"),
                None,
            ),
        ];
        if let Some(Choice { label, title, family, first }) = self.choice {
            let values = format!("label_values({}, {label})", expr::selector(family, "", &[]));
            list.push(variable(label, title, &values, Some(first)));
        }
        list
    }
}

/// One or more values to choose, all at first unless one is named. Read again whenever the time
/// changes, as processes come and go.
fn variable(name: &str, label: &str, query: &str, first: Option<&str>) -> Value {
    let (text, value) = first.map_or(("All", "$__all"), |first| (first, first));
    json!({
        "name": name, "label": label, "type": "query", "datasource": datasource(),
        "query": { "query": query, "refId": name },
        "definition": query,
        "refresh": 2, "sort": 1, "regex": "", "hide": 0, "options": [], "skipUrlSync": false,
        "multi": true, "includeAll": true, "allValue": ".+",
        "current": { "selected": true, "text": [text], "value": [value] },
    })
}

/// When another build was put in place, which all of its processes say alike, and when a process
/// began.
fn annotations() -> Vec<Value> {
    let mark = |name: &str, color: &str, family: Family, title: &str| {
        json!({
            "name": name,
            "enable": true,
            "hide": false,
            "iconColor": color,
            "datasource": datasource(),
            "target": {
                "refId": "Anno",
                // Grafana counts in milliseconds.
                "expr": format!("{} * 1000", expr::selector(family, "", &[])),
            },
            "useValueForTime": "on",
            "titleFormat": title,
            "textFormat": "{{instance}}",
            "tagKeys": "job,instance",
        })
    };
    vec![
        mark("Deploys", "blue", Family::DeployTimestamp, "Deploy"),
        mark("Starts", "purple", Family::ProcessStartTime, "Start of a process"),
    ]
}
