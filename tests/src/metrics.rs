//! Reads a scrape: Prometheus' text format 0.0.4.
//!
//! Never here: which series there must be; that is the contract's and the tests'.

use std::collections::BTreeMap;

/// One sample: a family, its labels, its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name before the labels, with `_sum`, `_count` or `_bucket` where it has one.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// All samples of a scrape.
#[derive(Debug, Clone, Default)]
pub struct Scrape(Vec<Sample>);

impl Scrape {
    /// Reads a scrape.
    ///
    /// # Panics
    /// When a line isn't of the format.
    pub fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(
            samples
                .map(|line| sample(line).unwrap_or_else(|| panic!("no sample: {line}")))
                .collect(),
        )
    }

    /// The samples of a family that have these labels (and maybe more).
    pub fn all<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = &'a Sample> {
        self.0.iter().filter(move |sample| {
            let has = |(label, value): &(&str, &str)| {
                sample.labels.get(*label).is_some_and(|found| found == value)
            };
            sample.name == name && labels.iter().all(has)
        })
    }

    /// The sum over the samples of a family that have these labels.
    ///
    /// # Panics
    /// When there is none: a series that can exist exists from the start.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let mut found = self.all(name, labels).peekable();
        assert!(found.peek().is_some(), "no series {name} with {labels:?}");
        found.map(|sample| sample.value).sum()
    }

    /// Whether there is such a series.
    pub fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.all(name, labels).next().is_some()
    }

    /// Whether a label has a value in a family, or in any.
    pub fn shows(&self, name: Option<&str>, label: &str, value: &str) -> bool {
        self.0.iter().any(|sample| {
            name.is_none_or(|name| sample.name == name)
                && sample.labels.get(label).is_some_and(|found| found == value)
        })
    }

    /// Names of all families, once each.
    pub fn names(&self) -> std::collections::BTreeSet<&str> {
        self.0.iter().map(|sample| sample.name.as_str()).collect()
    }
}

fn sample(line: &str) -> Option<Sample> {
    let (head, value) = line.rsplit_once(' ')?;
    let value = match value {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        value => value.parse().ok()?,
    };
    let (name, labels) = match head.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}')?),
        None => (head, ""),
    };
    Some(Sample { name: name.to_owned(), labels: parse_labels(labels)?, value })
}

/// `a="x",b="y"`, with `\\`, `\"` and `\n` in values.
fn parse_labels(mut text: &str) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = rest.char_indices();
        let end = loop {
            match characters.next()? {
                (at, '"') => break at,
                (_, '\\') => match characters.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        };
        labels.insert(name.trim_start_matches(',').to_owned(), value);
        text = &rest[end + 1..];
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_as_prometheus_writes_it() {
        let scrape = Scrape::parse(
            "# HELP x_total Things.\n# TYPE x_total counter\nx_total{a=\"1\",b=\"q\\\"\\\\,}\"} 3\n\
             x_total{a=\"2\",b=\"\"} 4\n\ny 1.5e-3\nz_bucket{le=\"+Inf\"} +Inf\n",
        );
        assert_eq!(scrape.sum("x_total", &[]), 7.0);
        assert_eq!(scrape.sum("x_total", &[("b", "q\"\\,}")]), 3.0);
        assert_eq!(scrape.sum("y", &[]), 0.0015);
        assert_eq!(scrape.sum("z_bucket", &[("le", "+Inf")]), f64::INFINITY);
        assert!(!scrape.has("x_total", &[("a", "3")]));
        assert_eq!(scrape.names().len(), 3);
    }
}
