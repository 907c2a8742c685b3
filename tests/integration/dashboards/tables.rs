//! How many lines a table can have. It has no pages: either its columns' labels have few values, as
//! rows of the contract's tables, or it shows the highest so many.
//!
//! Never here: what the lines tell (`units`), and that there are some (`live`).

use contract::{Endpoint, Journey, Stage};
use promql_parser::parser::{Expr, LabelModifier};
use serde_json::{Map, Value, json};

use super::file::{Dashboard, dashboards, list, text};
use super::promql::Parsed;

/// More than this nobody reads to the end.
pub(super) const LINES_MAX: usize = 50;

/// How many values a label can have; none where others than our tables say so.
fn values(label: &str) -> Option<usize> {
    match label {
        // And where no endpoint was found.
        "http_route" => Some(Endpoint::COUNT + 1),
        "journey" => Some(Journey::COUNT),
        "stage" => Some(Stage::COUNT),
        _ => None,
    }
}

/// The labels that a table has as columns.
fn labels(panel: &Value) -> Vec<&str> {
    let heads = panel["transformations"][1]["options"]["renameByName"].as_object();
    let names = heads.into_iter().flat_map(Map::keys).map(String::as_str);
    names.filter(|name| !name.starts_with("Value #")).collect()
}

/// Most lines that a table can have; none where it grows with what there is.
fn lines(board: &Dashboard, panel: &Value) -> Option<usize> {
    let exprs: Vec<&str> =
        list(&panel["targets"]).iter().map(|target| text(&target["expr"])).collect();
    let (first, others) = exprs.split_first()?;
    let labels = labels(panel);
    let is_told_apart = |expr: &&str| {
        let parsed = Parsed::read(&board.substituted(expr, "1m")).unwrap();
        is_by(&parsed.0, &labels)
    };
    if !exprs.iter().all(is_told_apart) {
        return None;
    }
    let Some(highest) = first.strip_prefix("topk(") else {
        return labels.into_iter().map(values).product();
    };
    // What else is told is told of these alone.
    let is_of_them = |expr: &&str| {
        let ends = |label: &&str| expr.ends_with(&format!(" and on ({label}) {first}"));
        labels.iter().any(ends)
    };
    let (n, _) = highest.split_once(", ").filter(|_| others.iter().all(is_of_them))?;
    n.parse().ok()
}

/// Whether nothing but these labels tells the series of an expression apart.
fn is_by(expr: &Expr, labels: &[&str]) -> bool {
    match expr {
        Expr::Aggregate(of) => match &of.modifier {
            Some(LabelModifier::Include(by)) => {
                by.labels.iter().all(|label| label == "le" || labels.contains(&label.as_str()))
            }
            Some(LabelModifier::Exclude(_)) => false,
            // Some of what is inside, or one of all.
            None => of.param.is_none() || is_by(&of.expr, labels),
        },
        Expr::Unary(of) => is_by(&of.expr, labels),
        Expr::Paren(of) => is_by(&of.expr, labels),
        Expr::Binary(of) => is_by(&of.lhs, labels) && is_by(&of.rhs, labels),
        Expr::Call(of) => of.args.args.iter().all(|argument| is_by(argument, labels)),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => true,
        Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Subquery(_)
        | Expr::Extension(_) => false,
    }
}

#[test]
fn no_table_grows_with_what_there_is() {
    let boards = dashboards();
    let tables: Vec<(&Dashboard, &Value)> = boards
        .iter()
        .flat_map(|board| board.panels().map(move |panel| (board, panel)))
        .filter(|(_, panel)| panel["type"] == "table")
        .collect();
    for (board, panel) in &tables {
        let lines = lines(board, panel);
        let is_short = lines.is_some_and(|lines| lines <= LINES_MAX);
        assert!(is_short, "{} / {}: {lines:?} lines", board.uid, panel["title"]);
    }
    assert!(tables.len() >= 5, "{} tables", tables.len());
}

#[test]
fn what_grows_is_found() {
    let board = &dashboards()[0];
    let lines = |labels: &[&str], exprs: &[&str]| {
        let targets: Vec<Value> = exprs.iter().map(|expr| json!({ "expr": expr })).collect();
        let mut heads = Map::new();
        for name in labels.iter().chain(&["Value #A"]) {
            heads.insert((*name).to_owned(), json!("its head"));
        }
        let organize = json!({ "options": { "renameByName": heads } });
        let panel = json!({ "targets": targets, "transformations": [{}, organize] });
        lines(board, &panel)
    };
    let by_stage = "sum by (stage) (rate(x_total[$__rate_interval]))";
    assert_eq!(lines(&["stage"], &[by_stage]), Some(Stage::COUNT));
    let quantile = "histogram_quantile(0.9, sum by (stage, le) (rate(x_bucket[1m])))";
    assert_eq!(lines(&["stage"], &[by_stage, quantile]), Some(Stage::COUNT));
    assert_eq!(lines(&["stage"], &["1 - x / (x > 0)"]), None);
    assert_eq!(lines(&["stage"], &[by_stage, "max by (stage, pool) (x)"]), None);
    assert_eq!(lines(&["instance"], &["max by (instance) (x)"]), None);
    let both = "max by (stage, http_route) (x)";
    let product = lines(&["stage", "http_route"], &[both]).unwrap();
    assert!(product > LINES_MAX, "{product}");

    let highest = "topk(7, max by (instance) (x))";
    assert_eq!(lines(&["instance"], &[highest]), Some(7));
    let other = "max by (instance) (y)";
    let of_them = format!("{other} and on (instance) {highest}");
    assert_eq!(lines(&["instance"], &[highest, &of_them]), Some(7));
    assert_eq!(lines(&["instance"], &[highest, other]), None);
    assert_eq!(lines(&["instance"], &["topk(7, x)"]), None);
}
