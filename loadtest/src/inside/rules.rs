//! Which of a service's metrics make a panel: a list of the usual names, those of the reminder
//! service among them, and what somebody asks for by name. What a service doesn't have is told, and
//! no more.
//!
//! Never here: reading metrics (`scrape`).

use std::str::FromStr;

use crate::report::sheet::Unit;
use crate::scrape::Metrics;

/// How a family becomes a panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What it shows.
    pub title: String,
    /// The family, or for a rate the series' own name.
    pub family: String,
    /// The unit of what is shown.
    pub unit: Unit,
    /// How a value becomes a point.
    pub how: How,
    /// Labels that tell lines apart.
    pub by: Vec<String>,
    /// How the values of several processes become one.
    pub across: Across,
    /// Only series with this label's value.
    pub only: Option<(&'static str, &'static str)>,
    /// Lines that are left out, by name.
    pub except: Vec<&'static str>,
}

/// How a value becomes a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum How {
    /// As it is.
    Value,
    /// By how much it rose a second.
    Rate,
    /// A quantile of what a histogram gained.
    Quantile(f64),
}

/// How the values of several processes become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Across {
    /// They add up.
    Sum,
    /// Each looks at the same thing: the highest counts.
    Max,
    /// Each has a line of its own.
    Each,
}

/// Seconds for which connections are held, a second: by Little's law how many are held.
pub const HELD: &str = "db_client_connections_use_time_seconds_sum";

/// What is looked for in any service.
#[must_use]
pub fn usual() -> Vec<Rule> {
    let rule = |title: &str, family: &str, unit, how, by: &[&str], across| Rule {
        title: title.to_owned(),
        family: family.to_owned(),
        unit,
        how,
        by: by.iter().map(|&label| label.to_owned()).collect(),
        across,
        only: None,
        except: Vec::new(),
    };
    let late = |title, family, by| {
        rule(title, family, Unit::Seconds, How::Quantile(0.99), &[by], Across::Sum)
    };
    let level = |title, family, unit, by| rule(title, family, unit, How::Value, &[by], Across::Max);
    let (rate, each) = (How::Rate, Across::Each);
    let answered = "http_server_request_duration_seconds_count";
    let (in_use, modes) = (
        level("database connections in use", "db_client_connections", Unit::Number, "pool"),
        rule(
            "processors of the service's machine, by what they do",
            "host_cpu_seconds_total",
            Unit::Number,
            rate,
            &["mode"],
            Across::Max,
        ),
    );
    vec![
        rule("requests answered", answered, Unit::PerSecond, rate, &["http_route"], Across::Sum),
        late("lateness of the stages, p99", "stage_lateness_seconds", "stage"),
        late(
            "wait for a database connection, p99",
            "db_client_connections_wait_time_seconds",
            "pool",
        ),
        late(
            "time for which a connection is held, p99",
            "db_client_connections_use_time_seconds",
            "pool",
        ),
        rule(
            "database connections held in the mean",
            HELD,
            Unit::Number,
            rate,
            &["pool"],
            Across::Sum,
        ),
        Rule { only: Some(("state", "used")), across: Across::Sum, ..in_use },
        rule(
            "database connections, at most",
            "db_client_connections_max",
            Unit::Number,
            How::Value,
            &["pool"],
            Across::Sum,
        ),
        late("time of statements, p99", "db_client_operation_duration_seconds", "db_query_name"),
        level("work that stands before the stages", "pending_messages", Unit::Number, "stage"),
        level("age of the oldest work", "oldest_pending_seconds", Unit::Seconds, "stage"),
        level("bounds, by how much of them is used", "limit_used_ratio", Unit::Ratio, "limit"),
        rule("processors used", "process_cpu_seconds_total", Unit::Number, rate, &[], each),
        rule(
            "resident memory",
            "process_resident_memory_bytes",
            Unit::Bytes,
            How::Value,
            &[],
            each,
        ),
        Rule { except: vec!["idle"], ..modes },
    ]
}

impl Rule {
    /// True when a service has it.
    #[must_use]
    pub fn is_in(&self, metrics: &Metrics) -> bool {
        match self.how {
            How::Quantile(_) => metrics.has(&format!("{}_bucket", self.family)),
            How::Value | How::Rate => metrics.has(&self.family),
        }
    }

    pub(super) fn only(&self) -> Vec<(&str, &str)> {
        self.only.into_iter().collect()
    }
}

/// As it is asked for: `NAME[@QUANTILE][:LABEL,…]`. The name says what it is: `_total`, `_count` and
/// `_sum` rise, and are shown as rates; with a quantile it is a histogram; all else is a level.
impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usage = || {
            format!(
                "{text:?}: write NAME[@QUANTILE][:LABEL,…], such as queue_depth, or \
                     request_duration_seconds@0.99:handler"
            )
        };
        let (name, by) = text.split_once(':').unwrap_or((text, ""));
        let (family, quantile) = match name.split_once('@') {
            None => (name, None),
            Some((family, q)) => match q.parse::<f64>() {
                Ok(q) if q > 0.0 && q < 1.0 => (family, Some(q)),
                Ok(_) | Err(_) => return Err(usage()),
            },
        };
        if family.is_empty() || family.contains([' ', '{', '"']) {
            return Err(usage());
        }
        let rises = ["_total", "_count", "_sum"].iter().any(|end| family.ends_with(end));
        let (how, unit) = match quantile {
            Some(q) => (How::Quantile(q), unit(family)),
            None if rises => (How::Rate, Unit::PerSecond),
            None => (How::Value, unit(family)),
        };
        let by = by.split(',').map(str::trim).filter(|label| !label.is_empty());
        Ok(Self {
            title: match quantile {
                Some(q) => format!("{family}, p{}", (q * 1e6).round() / 1e4),
                None => family.to_owned(),
            },
            family: family.to_owned(),
            unit,
            how,
            by: by.map(str::to_owned).collect(),
            across: Across::Sum,
            only: None,
            except: Vec::new(),
        })
    }
}

/// By the ending that Prometheus recommends.
fn unit(family: &str) -> Unit {
    match family.rsplit('_').next() {
        Some("seconds") => Unit::Seconds,
        Some("bytes") => Unit::Bytes,
        Some("ratio") => Unit::Ratio,
        Some(_) | None => Unit::Number,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use contract::Family;

    use super::*;

    #[test]
    fn a_name_says_how_it_is_shown() {
        for (text, how, unit, by) in [
            ("jobs_total:queue", How::Rate, Unit::PerSecond, &["queue"][..]),
            ("queue_depth", How::Value, Unit::Number, &[]),
            ("d_seconds@0.999:a, b", How::Quantile(0.999), Unit::Seconds, &["a", "b"]),
        ] {
            let rule: Rule = text.parse().unwrap();
            assert_eq!(
                (rule.how, rule.unit, &rule.by[..]),
                (how, unit, &by.iter().map(|b| (*b).to_owned()).collect::<Vec<_>>()[..])
            );
        }
        let rule: Rule = "d_seconds@0.999".parse().unwrap();
        assert_eq!(rule.title, "d_seconds, p99.9");
        for bad in ["", "a@2", "a{b}", "@0.5"] {
            assert!(bad.parse::<Rule>().is_err_and(|e| e.contains("NAME[@QUANTILE]")), "{bad}");
        }
    }

    /// A family that is renamed in the contract must not go missing here unseen.
    #[test]
    fn the_usual_names_are_those_of_the_reminder_service() {
        for rule in usual() {
            let name = rule.family.trim_end_matches("_count").trim_end_matches("_sum");
            let family = Family::from_name(name);
            let family = family.unwrap_or_else(|| panic!("{name} is no family any more"));
            for label in &rule.by {
                assert!(family.spec().labels.contains(&label.as_str()), "{name}: {label}");
            }
        }
    }
}
