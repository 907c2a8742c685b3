//! What an expression's values are, read off the names of its series and what is done to them:
//! found here in another way than the dashboards' maker does, and held against the panels' units.

use promql_parser::parser::token::{T_ADD, T_DIV, T_MUL, T_SUB};
use promql_parser::parser::{BinaryExpr, Call, Expr};

use super::file::dashboards;
use super::promql::Parsed;

/// What a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Seconds,
    Bytes,
    /// A share by its series' own name.
    Share,
    Count,
    PerSecond,
    /// The quotient of two of a kind: a share, or how many of one to one of the other.
    Quotient,
    /// A number that stands there.
    Number,
}

#[test]
fn units_fit_what_is_shown() {
    let mut wrong = Vec::new();
    for board in dashboards() {
        for query in board.queries() {
            let parsed = Parsed::read(&board.substituted(&query.expr, "1m")).unwrap();
            match kind(&parsed.0) {
                Ok(kind) if fits(kind, &query.unit) => {}
                found => wrong.push(format!("{}: {} for {found:?}", query.place, query.unit)),
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn fits(kind: Kind, unit: &str) -> bool {
    match kind {
        Kind::Seconds => unit == "s",
        Kind::Bytes => unit == "bytes",
        Kind::Share => unit == "percentunit",
        Kind::Count => unit == "short",
        Kind::PerSecond => ["reqps", "mps", "cps"].contains(&unit),
        Kind::Quotient => ["percentunit", "short"].contains(&unit),
        Kind::Number => false,
    }
}

/// A series by the end of its name.
fn of_name(name: &str) -> Kind {
    let is = |end: &str| name.ends_with(end);
    let base = name.trim_end_matches("_total").trim_end_matches("_sum");
    match base {
        _ if is("_bucket") || is("_count") => Kind::Count,
        base if base.ends_with("_seconds") => Kind::Seconds,
        base if base.ends_with("_bytes") => Kind::Bytes,
        base if base.ends_with("_ratio") => Kind::Share,
        _ => Kind::Count,
    }
}

fn kind(expr: &Expr) -> Result<Kind, String> {
    match expr {
        Expr::VectorSelector(selector) => Ok(of_name(selector.name.as_deref().unwrap_or_default())),
        Expr::MatrixSelector(matrix) => Ok(of_name(matrix.vs.name.as_deref().unwrap_or_default())),
        Expr::Aggregate(aggregate) => match aggregate.op.to_string().as_str() {
            "count" => Ok(Kind::Count),
            _ => kind(&aggregate.expr),
        },
        Expr::Unary(unary) => kind(&unary.expr),
        Expr::Paren(paren) => kind(&paren.expr),
        Expr::NumberLiteral(_) => Ok(Kind::Number),
        Expr::Binary(binary) => of_two(binary),
        Expr::Call(call) => of_call(call),
        Expr::Subquery(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {
            Err(format!("not known here: {expr:?}"))
        }
    }
}

fn of_call(call: &Call) -> Result<Kind, String> {
    let argument = |at: usize| kind(&call.args.args[at]);
    match call.func.name {
        "rate" | "irate" => match argument(0)? {
            Kind::Seconds => Ok(Kind::Quotient),
            Kind::Count => Ok(Kind::PerSecond),
            other => Err(format!("a rate of {other:?}")),
        },
        "increase" | "abs" | "clamp" | "clamp_min" | "clamp_max" | "predict_linear"
        | "last_over_time" => argument(0),
        "histogram_quantile" => {
            // What was counted in buckets is what the family is named after.
            let inner = Parsed(*call.args.args[1].clone());
            let names = inner.names();
            let name = names.first().and_then(|name| name.strip_suffix("_bucket"));
            name.map(of_name).ok_or_else(|| format!("no buckets: {names:?}"))
        }
        "time" => Ok(Kind::Seconds),
        other => Err(format!("the function {other}")),
    }
}

fn of_two(binary: &BinaryExpr) -> Result<Kind, String> {
    let (left, right) = (kind(&binary.lhs)?, kind(&binary.rhs)?);
    if binary.return_bool() {
        // One where it holds.
        return Ok(Kind::Count);
    }
    let is = |token| binary.op.id() == token;
    if is(T_MUL) {
        return match (left, right) {
            (Kind::Number | Kind::Share | Kind::Quotient, other)
            | (other, Kind::Number | Kind::Share | Kind::Quotient) => Ok(other),
            _ => Err(format!("{left:?} times {right:?}")),
        };
    }
    if is(T_DIV) {
        return match (left, right) {
            (left, right) if left == right => Ok(Kind::Quotient),
            (left, Kind::Number | Kind::Share) => Ok(left),
            // Seconds a second, per events a second: seconds an event.
            (Kind::Quotient, Kind::PerSecond) | (Kind::Seconds, Kind::Count) => Ok(Kind::Seconds),
            _ => Err(format!("{left:?} by {right:?}")),
        };
    }
    match (left, right) {
        // One less a share is a share.
        (Kind::Number, other) | (other, Kind::Number) => Ok(other),
        (left, right) if left == right => Ok(left),
        // Filtered by another one, or compared with it.
        _ if !is(T_ADD) && !is(T_SUB) => Ok(left),
        _ => Err(format!("{left:?} and {right:?}")),
    }
}

#[test]
fn units_are_found_and_nonsense_is_refused() {
    let of = |expr: &str| kind(&Parsed::read(expr).unwrap().0);
    for (expr, expected) in [
        ("max(replica_lag_bytes)", Kind::Bytes),
        ("sum(rate(a_total[1m]))", Kind::PerSecond),
        ("rate(cpu_seconds_total[1m])", Kind::Quotient),
        ("histogram_quantile(0.9, sum by (le) (rate(x_seconds_bucket[1m])))", Kind::Seconds),
        ("rate(x_seconds_sum[1m]) / (rate(x_seconds_count[1m]) > 0)", Kind::Seconds),
        ("1 - free_bytes / size_bytes", Kind::Quotient),
        ("time() - start_seconds", Kind::Seconds),
        ("count(x_seconds > 3)", Kind::Count),
        ("sum(x_seconds > bool 3)", Kind::Count),
    ] {
        assert_eq!(of(expr), Ok(expected), "{expr}");
    }
    for nonsense in ["a_bytes + b_seconds", "rate(free_bytes[1m])", "a_bytes * b_bytes"] {
        assert!(of(nonsense).is_err(), "{nonsense}");
    }
    assert!(!fits(Kind::Seconds, "ms") && !fits(Kind::Share, "percent"));
}
