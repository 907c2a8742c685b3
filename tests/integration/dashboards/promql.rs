//! Expressions taken apart: which series they select, with what, inside of which function.
//!
//! Never here: which of that is right.

use std::time::Duration;

use promql_parser::label::{MatchOp, Matchers};
use promql_parser::parser::{self, Expr, VectorSelector};

/// An expression that could be read.
#[derive(Debug, Clone)]
pub(super) struct Parsed(pub(super) Expr);

/// A selector in an expression.
#[derive(Debug, Clone)]
pub(super) struct Selected {
    /// The series' name.
    pub(super) name: String,
    /// Labels and the values or patterns that they must match.
    pub(super) matchers: Vec<(String, String)>,
    /// Labels and the values, spelt out, that they must or must not have.
    pub(super) values: Vec<(String, String)>,
    /// The window, of a range.
    pub(super) range: Option<Duration>,
    /// The function whose argument it is.
    pub(super) function: Option<String>,
}

impl Parsed {
    /// Reads an expression.
    pub(super) fn read(expr: &str) -> Result<Self, String> {
        parser::parse(expr).map(Self)
    }

    /// Every selector in it.
    pub(super) fn selectors(&self) -> Vec<Selected> {
        let mut found = Vec::new();
        walk(&self.0, None, &mut found);
        found
    }

    /// The names of the series that it selects.
    pub(super) fn names(&self) -> Vec<String> {
        self.selectors().into_iter().map(|selected| selected.name).collect()
    }
}

fn walk(expr: &Expr, function: Option<&str>, found: &mut Vec<Selected>) {
    let mut select = |selector: &VectorSelector, range: Option<Duration>| {
        found.push(Selected {
            name: name(selector),
            matchers: matchers(&selector.matchers),
            values: values(&selector.matchers),
            range,
            function: function.map(str::to_owned),
        });
    };
    match expr {
        Expr::VectorSelector(selector) => select(selector, None),
        Expr::MatrixSelector(matrix) => select(&matrix.vs, Some(matrix.range)),
        Expr::Aggregate(aggregate) => walk(&aggregate.expr, None, found),
        Expr::Unary(unary) => walk(&unary.expr, function, found),
        Expr::Paren(paren) => walk(&paren.expr, function, found),
        Expr::Subquery(subquery) => walk(&subquery.expr, function, found),
        Expr::Binary(binary) => {
            walk(&binary.lhs, None, found);
            walk(&binary.rhs, None, found);
        }
        Expr::Call(call) => {
            for argument in &call.args.args {
                walk(argument, Some(call.func.name), found);
            }
        }
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}

/// The name, also where it is written as a label.
fn name(selector: &VectorSelector) -> String {
    let matchers = selector.matchers.matchers.iter();
    let mut as_label = matchers.filter(|one| one.name == "__name__").map(|one| one.value.clone());
    selector.name.clone().or_else(|| as_label.next()).unwrap_or_default()
}

fn matchers(all: &Matchers) -> Vec<(String, String)> {
    let kept = all.matchers.iter().filter(|one| !matches!(one.op, MatchOp::NotEqual));
    kept.map(|one| (one.name.clone(), one.value.clone())).collect()
}

/// Those of a list are one pattern; other patterns are of no value in particular.
fn values(all: &Matchers) -> Vec<(String, String)> {
    let is_plain =
        |one: &&str| !one.is_empty() && one.chars().all(|c| c.is_alphanumeric() || c == '_');
    let each = all.matchers.iter().flat_map(|one| {
        let values = one.value.split('|').filter(is_plain);
        values.map(|value| (one.name.clone(), value.to_owned()))
    });
    each.filter(|(label, _)| label != "__name__").collect()
}

#[test]
fn selectors_are_found_wherever_they_are() {
    let one = r#"topk(3, sum by (a) (rate(x_total{job=~"$job"}[5m])))"#;
    let parsed = Parsed::read(&format!(r#"{one} / on (a) (y > 0) or {{__name__="z"}}"#));
    let found = parsed.unwrap().selectors();
    let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["x_total", "y", "z"]);
    assert_eq!(found[0].function.as_deref(), Some("rate"));
    assert_eq!(found[0].range, Some(Duration::from_secs(300)));
    assert_eq!(found[0].matchers, [("job".to_owned(), "$job".to_owned())]);
    let parsed = Parsed::read(r#"x{a="1",b=~"2|3_",c=~".+",d!="4",e!~"5|6",f!=""}"#).unwrap();
    let values: Vec<String> = parsed.selectors()[0]
        .values
        .iter()
        .map(|(label, value)| format!("{label}{value}"))
        .collect();
    assert_eq!(values, ["a1", "b2", "b3_", "d4", "e5", "e6"]);
    assert!(Parsed::read("sum(").is_err());
}
