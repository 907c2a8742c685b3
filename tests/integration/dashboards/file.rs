//! The files as they are checked in, and what a test asks of them: panels, queries, variables.
//!
//! Never here: what must hold of them.

use std::path::PathBuf;

use serde_json::Value;

/// The top of the repository.
pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What stands for the time on the screen.
pub(super) const TIME_ON_SCREEN: &str = "5m";

/// A dashboard.
#[derive(Debug, Clone)]
pub(super) struct Dashboard {
    pub(super) uid: String,
    pub(super) json: Value,
}

/// A query of a panel.
#[derive(Debug, Clone)]
pub(super) struct Query {
    /// Dashboard, panel and query, for whoever has to mend it.
    pub(super) place: String,
    pub(super) expr: String,
    pub(super) legend: String,
    /// As Grafana calls it: a table's column has its own.
    pub(super) unit: String,
    /// A table joins labels as columns and has no legends; a heat map's are its buckets.
    pub(super) panel: String,
    pub(super) has_exemplars: bool,
}

/// All dashboards, in the order of their names.
pub(super) fn dashboards() -> Vec<Dashboard> {
    let folder = root().join("dashboards");
    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|kind| kind == "json")).collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let uid = json["uid"].as_str().unwrap().to_owned();
        assert_eq!(path.file_stem().unwrap().to_str(), Some(uid.as_str()));
        Dashboard { uid, json }
    };
    paths.iter().map(read).collect()
}

impl Dashboard {
    /// Its panels, without the heads of rows.
    pub(super) fn panels(&self) -> impl Iterator<Item = &Value> {
        list(&self.json["panels"]).iter().filter(|panel| panel["type"] != "row")
    }

    /// The queries of its panels.
    pub(super) fn queries(&self) -> Vec<Query> {
        self.panels().flat_map(|panel| self.of_panel(panel)).collect()
    }

    fn of_panel<'a>(&'a self, panel: &'a Value) -> impl Iterator<Item = Query> + 'a {
        list(&panel["targets"]).iter().map(|target| Query {
            place: format!("{} / {} / {}", self.uid, text(&panel["title"]), text(&target["refId"])),
            expr: text(&target["expr"]).to_owned(),
            legend: text(&target["legendFormat"]).to_owned(),
            unit: unit(panel, target).to_owned(),
            panel: text(&panel["type"]).to_owned(),
            has_exemplars: target["exemplar"] == true,
        })
    }

    /// Its variables.
    pub(super) fn variables(&self) -> &[Value] {
        list(&self.json["templating"]["list"])
    }

    /// Marks over all panels, each with a query.
    pub(super) fn annotations(&self) -> &[Value] {
        list(&self.json["annotations"]["list"])
    }

    /// An expression as Grafana would send it with what is chosen at first.
    pub(super) fn substituted(&self, expr: &str, rate_interval: &str) -> String {
        // Longer names first: one may begin with another.
        let mut values = vec![
            ("__rate_interval".to_owned(), rate_interval.to_owned()),
            ("__range".to_owned(), TIME_ON_SCREEN.to_owned()),
        ];
        for variable in self.variables().iter().filter(|one| one["type"] == "query") {
            let chosen: Vec<&str> = list(&variable["current"]["value"]).iter().map(text).collect();
            let value = match chosen[..] {
                ["$__all"] => text(&variable["allValue"]).to_owned(),
                ref some => some.join("|"),
            };
            values.push((text(&variable["name"]).to_owned(), value));
        }
        values.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        let put = |expr: String, (name, value): &(String, String)| {
            expr.replace(&format!("${name}"), value)
        };
        values.iter().fold(expr.to_owned(), put)
    }
}

/// The unit of a query: its column's in a table, the panel's elsewhere.
fn unit<'a>(panel: &'a Value, target: &'a Value) -> &'a str {
    let overrides = list(&panel["fieldConfig"]["overrides"]).iter();
    let mut mine = overrides.filter(|one| one["matcher"]["options"] == target["legendFormat"]);
    let of_column = mine.find_map(|one| {
        let properties = list(&one["properties"]).iter();
        properties.clone().find(|property| property["id"] == "unit").map(|unit| &unit["value"])
    });
    text(of_column.unwrap_or(&panel["fieldConfig"]["defaults"]["unit"]))
}

/// The elements of a list; none where there is no list.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A text; empty where there is none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
