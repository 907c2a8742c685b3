//! Expressions over families, each with the unit of its values: the unit of a family is in its
//! name, and what is done to it is done to its unit as well.
//!
//! Belongs here: how an expression is written, and the selection of processes that each must have.
//! Never here: what is worth showing (the dashboards), how it looks (`panel`).

use contract::family::Kind;
use contract::{Family, Limit};

/// What a panel's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Bytes,
    Ratio,
    /// Things that are counted.
    Count,
    /// Requests a second.
    RequestsRate,
    /// Messages a second.
    MessagesRate,
    /// Anything else a second.
    CountRate,
}

impl Unit {
    /// As Grafana calls it.
    pub(super) const fn grafana(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Bytes => "bytes",
            Self::Ratio => "percentunit",
            Self::Count => "short",
            Self::RequestsRate => "reqps",
            Self::MessagesRate => "mps",
            Self::CountRate => "cps",
        }
    }

    /// Of a family's values as they are.
    fn of(family: Family) -> Self {
        match family.unit() {
            Some("seconds") => Self::Seconds,
            Some("bytes") => Self::Bytes,
            Some("ratio") => Self::Ratio,
            Some(_) | None => Self::Count,
        }
    }

    /// Of a family's values a second: seconds a second are a share of one.
    fn rate_of(family: Family) -> Self {
        let name = family.name();
        match Self::of(family) {
            Self::Seconds | Self::Ratio => Self::Ratio,
            _ if name.contains("messages") => Self::MessagesRate,
            _ if name.contains("requests") => Self::RequestsRate,
            _ => Self::CountRate,
        }
    }
}

/// The window that suits the panel's resolution and the scrapes' interval; Grafana knows both.
pub(super) const RATE_WINDOW: &str = "$__rate_interval";

/// The processes that were chosen; in every selector.
const CHOSEN: &str = r#"job=~"$job", instance=~"$instance""#;

/// A matcher such as `stage="claim"`; none is an empty list.
pub(super) type Matchers<'a> = &'a [(&'a str, &'a str)];

/// An expression and what its values are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expr {
    pub(super) promql: String,
    pub(super) unit: Unit,
}

/// A selector of a family's series, or of a part of a histogram's. A value with regular-expression
/// characters, or a variable, is matched as one; one that begins with `!` must not match.
pub(super) fn selector(family: Family, part: &str, matchers: Matchers<'_>) -> String {
    let mut text = format!("{}{part}{{{CHOSEN}", family.name());
    for (label, value) in matchers {
        let is_pattern = value.contains(['|', '$', '+', '*']);
        let (operator, value) = match (value.strip_prefix('!'), is_pattern) {
            (Some(value), true) => ("!~", value),
            (Some(value), false) => ("!=", value),
            (None, true) => ("=~", *value),
            (None, false) => ("=", *value),
        };
        text += &format!(", {label}{operator}\"{value}\"");
    }
    text + "}"
}

/// A gauge's values.
pub(super) fn gauge(family: Family, matchers: Matchers<'_>) -> Expr {
    debug_assert!(family.spec().kind == Kind::Gauge, "{}", family.name());
    Expr { promql: selector(family, "", matchers), unit: Unit::of(family) }
}

/// Since when a gauge that holds a time is past.
pub(super) fn age(family: Family, matchers: Matchers<'_>) -> Expr {
    let promql = format!("time() - {}", selector(family, "", matchers));
    Expr { promql, unit: Unit::Seconds }
}

/// How fast a counter rises.
pub(super) fn rate(family: Family, matchers: Matchers<'_>) -> Expr {
    debug_assert!(family.spec().kind == Kind::Counter, "{}", family.name());
    let promql = format!("rate({}[{RATE_WINDOW}])", selector(family, "", matchers));
    Expr { promql, unit: Unit::rate_of(family) }
}

/// By how much a counter rose in a window.
pub(super) fn increase(family: Family, matchers: Matchers<'_>, window: &str) -> Expr {
    debug_assert!(family.spec().kind == Kind::Counter, "{}", family.name());
    let promql = format!("increase({}[{window}])", selector(family, "", matchers));
    Expr { promql, unit: Unit::of(family) }
}

/// How many values a histogram takes in a second.
pub(super) fn count_rate(family: Family, matchers: Matchers<'_>, unit: Unit) -> Expr {
    debug_assert!(family.spec().kind == Kind::Histogram, "{}", family.name());
    let promql = format!("rate({}[{RATE_WINDOW}])", selector(family, "_count", matchers));
    Expr { promql, unit }
}

/// How many values a histogram took in a window.
pub(super) fn count_increase(family: Family, matchers: Matchers<'_>, window: &str) -> Expr {
    debug_assert!(family.spec().kind == Kind::Histogram, "{}", family.name());
    let promql = format!("increase({}[{window}])", selector(family, "_count", matchers));
    Expr { promql, unit: Unit::Count }
}

/// How fast the sum of a histogram rises: of times, how many of these run at once.
pub(super) fn sum_rate(family: Family, matchers: Matchers<'_>) -> Expr {
    debug_assert!(family.spec().kind == Kind::Histogram, "{}", family.name());
    let promql = format!("rate({}[{RATE_WINDOW}])", selector(family, "_sum", matchers));
    Expr { promql, unit: Unit::rate_of(family) }
}

/// A quantile of a histogram, over all chosen processes together.
pub(super) fn quantile(q: f64, family: Family, matchers: Matchers<'_>, by: &[&str]) -> Expr {
    debug_assert!(family.spec().kind == Kind::Histogram, "{}", family.name());
    let buckets = selector(family, "_bucket", matchers);
    let by = [by, &["le"]].concat().join(", ");
    let promql = format!("histogram_quantile({q}, sum by ({by}) (rate({buckets}[{RATE_WINDOW}])))");
    Expr { promql, unit: Unit::of(family) }
}

/// The mean of a histogram, over all chosen processes together; nothing while nothing happens.
pub(super) fn mean(family: Family, matchers: Matchers<'_>, by: &[&str]) -> Expr {
    let unit = Unit::of(family);
    let count = count_rate(family, matchers, unit).sum(by);
    let sum = sum_rate(family, matchers).sum(by);
    Expr { promql: format!("{} / ({} > 0)", sum.promql, count.promql), unit }
}

/// How many processes were reached by their last scrape, as Prometheus itself tells. It tells that
/// of everything that it scrapes: ours are those of a job that told of our build within a day.
pub(super) fn processes_that_answer() -> Expr {
    let ours = selector(Family::BuildInfo, "", &[]);
    let up = format!("up{{{CHOSEN}}} and on (job) last_over_time({ours}[1d])");
    Expr { promql: format!("sum({up})"), unit: Unit::Count }
}

/// How many alerts fire that somebody is told of, as Prometheus itself tells: an alert has its own
/// labels, which are not those of a process. All but those that nobody is told of, as the one that
/// always fires is of these: so there is no number where rules aren't evaluated, and not a zero.
pub(super) fn alerts_that_fire() -> Expr {
    let firing = r#"ALERTS{alertstate="firing""#;
    let promql = format!(r#"count({firing}}}) - count({firing}, severity!~"critical|warning"}})"#);
    Expr { promql, unit: Unit::Count }
}

/// What a pool is one of: each process of each application has its own, and two half full ones are
/// not a full one and an empty one.
pub(super) const POOL: &[&str] = &["job", "instance", "pool"];

/// The share of each pool's connections that is in use.
pub(super) fn pool_use() -> Expr {
    let used = gauge(Family::DbClientConnections, &[("state", "used")]).sum(POOL);
    used.share_of(gauge(Family::DbClientConnectionsMax, &[]).sum(POOL))
}

/// How full each bound is that must not fill up. A memory is full by design.
pub(super) fn bound_use() -> Expr {
    let names: Vec<&str> = Limit::that_turn_away().map(Limit::name).collect();
    gauge(Family::LimitUsed, &[("limit", &names.join("|"))])
}

/// The share of the processes' file systems that is in use.
pub(super) fn disk_use() -> Expr {
    let [free, size] = [Family::HostFilesystemFree, Family::HostFilesystemSize]
        .map(|family| selector(family, "", &[]));
    Expr { promql: format!("1 - {free} / {size}"), unit: Unit::Ratio }
}

/// The same, so many seconds ahead, if it goes on as within a window; never more than all.
pub(super) fn disk_use_forecast(window: &str, ahead: u32) -> Expr {
    let [free, size] = [Family::HostFilesystemFree, Family::HostFilesystemSize]
        .map(|family| selector(family, "", &[]));
    let promql = format!("clamp(1 - predict_linear({free}[{window}], {ahead}) / {size}, 0, 1)");
    Expr { promql, unit: Unit::Ratio }
}

impl Expr {
    /// Added up over what isn't named.
    pub(super) fn sum(self, by: &[&str]) -> Self {
        self.aggregate("sum", by)
    }

    /// The highest over what isn't named: of what every process sees for itself.
    pub(super) fn max(self, by: &[&str]) -> Self {
        self.aggregate("max", by)
    }

    /// The mean over what isn't named.
    pub(super) fn avg(self, by: &[&str]) -> Self {
        self.aggregate("avg", by)
    }

    /// The lowest over what isn't named.
    pub(super) fn min(self, by: &[&str]) -> Self {
        self.aggregate("min", by)
    }

    fn aggregate(self, operator: &str, by: &[&str]) -> Self {
        let promql = match by {
            [] => format!("{operator}({})", self.promql),
            by => format!("{operator} by ({}) ({})", by.join(", "), self.promql),
        };
        Self { promql, ..self }
    }

    /// The highest so many.
    pub(super) fn top(self, n: usize) -> Self {
        Self { promql: format!("topk({n}, {})", self.promql), ..self }
    }

    /// Those so many that another one ranks highest over the whole time on the screen: the same
    /// at each instant. It must rank them without ties, or each instant breaks them its own way.
    pub(super) fn top_by(self, n: usize, label: &str, rank: &Self) -> Self {
        let overall = rank.promql.replace("rate(", "increase(");
        let overall = overall.replace(&format!("[{RATE_WINDOW}]"), "[$__range] @ end()");
        let highest = Self { promql: format!("topk({n}, {overall})"), ..self };
        self.among(label, &highest)
    }

    /// Of its series those that have a label in common with another one's.
    pub(super) fn among(self, label: &str, others: &Self) -> Self {
        let promql = format!("{} and on ({label}) {}", self.operand(), others.operand());
        Self { promql, ..self }
    }

    /// Per unit of another one, which is left out while it is zero.
    pub(super) fn per(self, other: Self, unit: Unit) -> Self {
        let promql = format!("{} / ({} > 0)", self.operand(), other.promql);
        Self { promql, unit }
    }

    /// A share of another one of its own kind.
    pub(super) fn share_of(self, whole: Self) -> Self {
        self.per(whole, Unit::Ratio)
    }

    /// What a share leaves over; never less than nothing.
    pub(super) fn rest(self) -> Self {
        Self { promql: format!("clamp_min(1 - {}, 0)", self.promql), ..self }
    }

    /// What is left of it without another one.
    pub(super) fn less(self, other: Self) -> Self {
        let promql = format!("{} - {}", self.operand(), other.operand());
        Self { promql, ..self }
    }

    /// How many of its series are below zero; none where there are no series.
    pub(super) fn how_many_below_zero(self) -> Self {
        let promql = format!("sum({} < bool 0)", self.operand());
        Self { promql, unit: Unit::Count }
    }

    /// Seconds a second, told as how many at once.
    pub(super) fn at_once(self) -> Self {
        Self { unit: Unit::Count, ..self }
    }

    /// In brackets where it is made of two.
    fn operand(&self) -> String {
        if is_one(&self.promql) { self.promql.clone() } else { format!("({})", self.promql) }
    }
}

/// Whether an expression is one call, aggregation or selector, which needs no brackets.
fn is_one(promql: &str) -> bool {
    let mut depth = 0_i32;
    for (at, c) in promql.char_indices() {
        match c {
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => depth -= 1,
            ' ' if depth == 0 => {
                let rest = promql[at..].trim_start();
                if !rest.starts_with("by (") && !rest.starts_with('(') {
                    return false;
                }
            }
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_follow_from_names_and_from_what_is_done() {
        let cpu = rate(Family::ProcessCpu, &[]);
        assert_eq!(cpu.unit, Unit::Ratio);
        assert_eq!(quantile(0.99, Family::StageDuration, &[], &["stage"]).unit, Unit::Seconds);
        assert_eq!(rate(Family::Messages, &[]).unit, Unit::MessagesRate);
        assert_eq!(rate(Family::SloRequests, &[]).unit, Unit::RequestsRate);
        assert_eq!(gauge(Family::ReplicaLagBytes, &[]).unit, Unit::Bytes);
        let rows = mean(Family::DbClientResponseReturnedRows, &[], &["db_query_name"]);
        assert_eq!(rows.unit, Unit::Count);
    }

    #[test]
    fn operands_are_bracketed_where_they_must_be() {
        let sum = || rate(Family::Messages, &[]).sum(&["fate"]);
        let one = sum().promql;
        assert!(one.starts_with("sum by (fate) (rate(messages_total{job=~\"$job\""), "{one}");
        assert_eq!(sum().less(sum()).promql, format!("{one} - {one}"));
        let share = sum().less(sum()).share_of(sum());
        assert_eq!(share.promql, format!("({one} - {one}) / ({one} > 0)"));
        assert_eq!(share.unit, Unit::Ratio);
    }

    #[test]
    fn the_highest_over_all_are_told_from_those_of_an_instant() {
        let rate = rate(Family::Messages, &[]).sum(&["fate"]);
        let text = rate.clone().top_by(3, "fate", &rate).promql;
        let (shown, highest) = text.split_once(" and on (fate) topk(3, ").unwrap();
        assert!(shown.ends_with("[$__rate_interval]))"), "{text}");
        assert!(highest.starts_with("sum by (fate) (increase(messages_total{"), "{text}");
        assert!(highest.ends_with("[$__range] @ end())))"), "{text}");
    }

    #[test]
    fn values_are_matched_as_what_they_are() {
        let text = selector(Family::Messages, "", &[("fate", "sent|failed"), ("a", "b")]);
        assert!(text.ends_with(r#", fate=~"sent|failed", a="b"}"#), "{text}");
        let text = selector(Family::Messages, "", &[("fate", "!sent|failed"), ("a", "!b")]);
        assert!(text.ends_with(r#", fate!~"sent|failed", a!="b"}"#), "{text}");
    }
}
