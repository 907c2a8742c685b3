//! What Grafana's dashboard-linter asks for, and what it can't see: that links lead somewhere and
//! that panels don't cover each other.
//!
//! Never here: what an expression gives (`live`) or is (`units`).

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::file::{Dashboard, TIME_ON_SCREEN, dashboards, list, text};
use super::promql;

/// Units that are used, all of them Grafana's.
const UNITS: [&str; 7] = ["s", "bytes", "percentunit", "short", "reqps", "mps", "cps"];

/// Stands for `$__rate_interval` while an expression is looked at; nothing else has this length.
const RATE_INTERVAL: Duration = Duration::from_secs(4_242);

/// Series that Prometheus makes of rules: they have the rules' labels, not those of a process.
const WITHOUT_PROCESS: [&str; 1] = ["ALERTS"];

/// Machines are told of under this job, whatever processes were chosen.
const NODE_JOB: &str = "node";

#[test]
fn the_dashboards_keep_the_rules() {
    let all = dashboards();
    let uids: Vec<&str> = all.iter().map(|one| one.uid.as_str()).collect();
    let known = ["capacity", "database", "endpoint", "overview", "pipeline"];
    assert_eq!(uids, known.map(|name| format!("punctual-{name}")));
    let found: Vec<String> = all.iter().flat_map(|one| check(one, &all)).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// Everything that is wrong with a dashboard.
fn check(board: &Dashboard, all: &[Dashboard]) -> Vec<String> {
    let mut found = Found { uid: &board.uid, what: Vec::new() };
    check_head(board, &mut found);
    check_variables(board, &mut found);
    for panel in board.panels() {
        check_panel(panel, &mut found);
        for target in list(&panel["targets"]) {
            check_expression(text(&target["expr"]), text(&panel["title"]), &mut found);
        }
    }
    for mark in board.annotations() {
        found.unless(is_templated(mark), "an annotation's datasource");
        check_expression(text(&mark["target"]["expr"]), text(&mark["name"]), &mut found);
    }
    check_grid(board, &mut found);
    check_links(board, all, &mut found);
    found.what
}

struct Found<'a> {
    uid: &'a str,
    what: Vec<String>,
}

impl Found<'_> {
    fn unless(&mut self, holds: bool, what: &str) {
        if !holds {
            self.what.push(format!("{}: {what}", self.uid));
        }
    }
}

fn check_head(board: &Dashboard, found: &mut Found<'_>) {
    let json = &board.json;
    found.unless(json["id"].is_null() && json.get("id").is_some(), "id is another Grafana's");
    found.unless(json.get("version").is_none(), "version is counted by Grafana");
    found.unless(json["editable"] == false, "editable");
    let schema = json["schemaVersion"].as_u64().unwrap_or_default();
    found.unless((30..40).contains(&schema), "schemaVersion isn't of the classic format");
    for field in ["title", "description"] {
        found.unless(!text(&json[field]).is_empty(), field);
    }
}

fn is_templated(thing: &Value) -> bool {
    thing["datasource"]["uid"] == "${datasource}" && thing["datasource"]["type"] == "prometheus"
}

fn check_variables(board: &Dashboard, found: &mut Found<'_>) {
    let named = |name: &str| board.variables().iter().find(|one| one["name"] == name);
    match named("datasource") {
        None => found.unless(false, "no variable datasource"),
        Some(one) => {
            let is_good = one["type"] == "datasource"
                && one["query"] == "prometheus"
                && one["label"] == "Data source";
            found.unless(is_good, "variable datasource");
        }
    }
    for (name, label) in [("job", "Job"), ("instance", "Instance")] {
        let is_good = named(name).is_some_and(|one| one["label"] == label);
        found.unless(is_good, &format!("variable {name}"));
    }
    for one in board.variables().iter().filter(|one| one["type"] == "query") {
        let name = text(&one["name"]);
        let is_good = one["multi"] == true
            && one["includeAll"] == true
            && one["allValue"] == ".+"
            && is_templated(one);
        found.unless(is_good, &format!("variable {name} can't be several or all"));
        found.unless(one["refresh"] == 2, &format!("variable {name} goes stale"));
    }
}

fn check_panel(panel: &Value, found: &mut Found<'_>) {
    let title = text(&panel["title"]);
    found.unless(!title.is_empty(), &format!("panel {} has no title", panel["id"]));
    let mut must = |holds: bool, what: &str| found.unless(holds, &format!("{title}: {what}"));
    must(!text(&panel["description"]).is_empty(), "no description");
    must(is_templated(panel), "datasource");
    let targets = list(&panel["targets"]);
    must(!targets.is_empty(), "no query");
    must(targets.iter().all(is_templated), "a query's datasource");
    let references: BTreeSet<&str> = targets.iter().map(|one| text(&one["refId"])).collect();
    must(references.len() == targets.len(), "two queries of one name");
    let defaults = &panel["fieldConfig"]["defaults"];
    must(UNITS.contains(&text(&defaults["unit"])), "unit");
}

fn check_expression(expr: &str, title: &str, found: &mut Found<'_>) {
    let magic = format!("{}s", RATE_INTERVAL.as_secs());
    let parsed = match promql::Parsed::read(
        &expr.replace("$__rate_interval", &magic).replace("$__range", TIME_ON_SCREEN),
    ) {
        Ok(parsed) => parsed,
        Err(error) => return found.unless(false, &format!("{title}: {error}: {expr}")),
    };
    // What stands in for series that are gone: then nobody sees that they are.
    found.unless(!expr.contains("vector("), &format!("{title}: never empty: {expr}"));
    for selected in parsed.selectors() {
        let name = &selected.name;
        let mut must =
            |holds: bool, what: &str| found.unless(holds, &format!("{title}: {name}: {what}"));
        let has = |label: &str| selected.matchers.contains(&(label.into(), format!("${label}")));
        let is_of_machines = selected.matchers.contains(&("job".into(), NODE_JOB.into()));
        let is_of_processes = !WITHOUT_PROCESS.contains(&name.as_str()) && !is_of_machines;
        must(!is_of_processes || (has("job") && has("instance")), "job and instance");
        let is_telling = name.starts_with("node_");
        let fits = if is_of_machines { is_telling || name == "up" } else { !is_telling };
        must(fits, "of a machine or of a process");
        let is_rate = matches!(selected.function.as_deref(), Some("rate" | "irate"));
        must(!is_rate || selected.range == Some(RATE_INTERVAL), "not $__rate_interval");
        let is_rising = is_rate || selected.function.as_deref() == Some("increase");
        must(!name.ends_with("_total") || is_rising, "a counter by itself");
    }
}

/// Every panel has its own place, within the grid's 24 columns.
fn check_grid(board: &Dashboard, found: &mut Found<'_>) {
    let mut taken = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in list(&board.json["panels"]) {
        let title = text(&panel["title"]);
        found.unless(ids.insert(panel["id"].as_u64()), &format!("{title}: its id is another's"));
        let [x, y, w, h] =
            ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap_or(99));
        found.unless(x + w <= 24, &format!("{title}: beyond the grid"));
        let cells = (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y)));
        let is_free = cells.filter(|cell| !taken.insert(*cell)).count() == 0;
        found.unless(is_free, &format!("{title}: over another panel"));
    }
}

/// Every link leads to a dashboard that is there, and sets variables that it has.
fn check_links(board: &Dashboard, all: &[Dashboard], found: &mut Found<'_>) {
    let of_panels = board.panels().flat_map(|panel| {
        let of_fields = list(&panel["fieldConfig"]["defaults"]["links"]);
        list(&panel["links"]).iter().chain(of_fields)
    });
    let links: Vec<&str> =
        list(&board.json["links"]).iter().chain(of_panels).map(|link| text(&link["url"])).collect();
    found.unless(!links.is_empty(), "no links");
    for url in links {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let target = all.iter().find(|one| path == format!("/d/{}", one.uid));
        let Some(target) = target else {
            found.unless(false, &format!("{url} leads nowhere"));
            continue;
        };
        for set in query.split('&').filter_map(|pair| pair.strip_prefix("var-")) {
            let name = set.split('=').next().unwrap_or_default();
            let has = target.variables().iter().any(|one| one["name"] == name);
            found.unless(has, &format!("{url}: {} has no {name}", target.uid));
        }
    }
}

/// Each rule finds what it is for: a dashboard with one thing spoilt.
#[test]
fn what_is_spoilt_is_found() {
    let all = dashboards();
    let good = all.iter().find(|one| one.uid == "punctual-endpoint").unwrap();
    // The first panel is the head of a row, the second one shows something.
    let target = "/panels/1/targets/0";
    let spoils: [(&str, Value, &str); 16] = [
        ("/id", json!(7), "id is another"),
        ("/editable", json!(true), "editable"),
        ("/schemaVersion", json!(2), "schemaVersion"),
        ("/templating/list/0/label", json!(""), "variable datasource"),
        ("/templating/list/1/label", json!(""), "variable job"),
        ("/templating/list/2/allValue", json!(".*"), "variable instance can't"),
        ("/templating/list/3/refresh", json!(1), "variable http_route goes stale"),
        ("/panels/1/description", json!(""), "no description"),
        ("/panels/1/datasource/uid", json!("prometheus"), "datasource"),
        ("/panels/1/targets", json!([]), "no query"),
        ("/panels/1/fieldConfig/defaults/unit", json!("percents"), "unit"),
        ("/panels/1/gridPos/x", json!(23), "beyond the grid"),
        ("/panels/2/gridPos/x", json!(0), "over another panel"),
        ("/panels/2/id", json!(1), "id is another's"),
        ("/links/0/url", json!("/d/punctual-nowhere"), "leads nowhere"),
        ("/annotations/list/0/target/expr", json!("up"), "job and instance"),
    ];
    for (place, value, expected) in spoils {
        expect(good, &all, place, value, expected);
    }
    let chosen = r#"{job=~"$job", instance=~"$instance"}"#;
    for (expr, expected) in [
        ("up{".to_owned(), "up{"),
        ("up".to_owned(), "job and instance"),
        (format!("rate(x_total{chosen}[5m])"), "not $__rate_interval"),
        (format!("sum(x_total{chosen})"), "a counter by itself"),
        (format!("node_load1{chosen}"), "of a machine or of a process"),
        (r#"x{job="node"}"#.to_owned(), "of a machine or of a process"),
    ] {
        expect(good, &all, &format!("{target}/expr"), json!(expr), expected);
    }
}

fn expect(good: &Dashboard, all: &[Dashboard], place: &str, value: Value, expected: &str) {
    let mut spoilt = good.clone();
    *spoilt.json.pointer_mut(place).unwrap() = value;
    let found = check(&spoilt, all);
    assert!(found.iter().any(|what| what.contains(expected)), "{place}: {found:?}");
}
