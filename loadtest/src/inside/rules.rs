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

/// Connections that are checked out, a second.
pub const CHECKED_OUT: &str = "db_client_connections_use_time_seconds_count";
/// Connections that a pool may have at the most.
pub const CONNECTIONS_MAX: &str = "db_client_connections_max";

/// What is looked for in any service.
#[must_use]
pub fn usual() -> Vec<Rule> {
    let answered = "http_server_request_duration_seconds_count";
    let mean = "database connections held in the mean";
    let taken = "database connections checked out";
    let mut all = vec![rate("requests answered", answered, Unit::PerSecond, "http_route")];
    all.push(p99("lateness of the stages", "stage_lateness_seconds", "stage"));
    all.extend([
        p99("wait for a database connection", "db_client_connections_wait_time_seconds", "pool"),
        p99("time of holding a connection", "db_client_connections_use_time_seconds", "pool"),
        rate(mean, HELD, Unit::Number, "pool"),
        rate(taken, CHECKED_OUT, Unit::PerSecond, "pool"),
        Rule {
            only: Some(("state", "used")),
            across: Across::Sum,
            ..level("database connections in use", "db_client_connections", Unit::Number, "pool")
        },
        Rule {
            across: Across::Sum,
            ..level("database connections, at most", CONNECTIONS_MAX, Unit::Number, "pool")
        },
        p99("time of statements", "db_client_operation_duration_seconds", "db_query_name"),
        level("work that stands before the stages", "pending_messages", Unit::Number, "stage"),
        level("age of the oldest work", "oldest_pending_seconds", Unit::Seconds, "stage"),
        level("bounds, by how much of them is used", "limit_used_ratio", Unit::Ratio, "limit"),
    ]);
    all.extend(machine());
    all
}

/// The processes and their machine.
fn machine() -> [Rule; 3] {
    let cpu = rate("processors used", "process_cpu_seconds_total", Unit::Number, "");
    let memory = level("resident memory", "process_resident_memory_bytes", Unit::Bytes, "");
    let host = "processors of the service's machine, by what they do";
    let host = rate(host, "host_cpu_seconds_total", Unit::Number, "mode");
    [
        Rule { across: Across::Each, ..cpu },
        Rule { across: Across::Each, ..memory },
        Rule { across: Across::Max, except: vec!["idle"], ..host },
    ]
}

/// A rise a second, over all processes.
fn rate(title: &str, family: &str, unit: Unit, by: &str) -> Rule {
    let by = Some(by).filter(|by| !by.is_empty());
    Rule {
        title: title.to_owned(),
        family: family.to_owned(),
        unit,
        how: How::Rate,
        by: by.into_iter().map(str::to_owned).collect(),
        across: Across::Sum,
        only: None,
        except: Vec::new(),
    }
}

/// A level that each process looks at for itself.
fn level(title: &str, family: &str, unit: Unit, by: &str) -> Rule {
    Rule { how: How::Value, across: Across::Max, ..rate(title, family, unit, by) }
}

/// The 99th percentile of a time, over all processes.
fn p99(title: &str, family: &str, by: &str) -> Rule {
    let title = format!("{title}, p99");
    Rule { how: How::Quantile(0.99), ..rate(&title, family, Unit::Seconds, by) }
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

/// As it is asked for: `NAME[@QUANTILE][:LABEL,…]`. The name says what it is: `_total`, `_count`
/// and `_sum` rise, and are shown as rates; with a quantile it is a histogram; all else is a level.
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
