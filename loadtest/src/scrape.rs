//! The service's own metrics, read from its `/metrics`: what the harness can't see from outside,
//! such as how long receipts take or how late a stage is.
//!
//! Belongs here: adding up several processes, and what is asked of their values. Never here: taking
//! lines apart (`index`), or requests that the harness sends itself; those it measures better.

mod buckets;
mod index;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use buckets::Buckets;
use index::{Index, Labels, Series};

/// What a replay reads of the service's metrics: all else, thousands of lines, is skipped unparsed.
pub const FAMILIES: [&str; 6] = [
    "journey_",
    "stage_",
    "http_server_request_",
    "messages_total",
    "limit_reached_total",
    "db_client_connections_wait_time_",
];

/// One process's or several processes' metrics: values by name and labels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    index: Arc<Index>,
    /// One for each series of the index.
    values: Vec<f64>,
}

impl Metrics {
    /// Reads the families of one process's text that this harness looks at. Lines that are none
    /// are skipped: a newer service may say more.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::parse_some(text, &FAMILIES)
    }

    /// Reads what begins with one of these names.
    #[must_use]
    pub fn parse_some(text: &str, names: &[&str]) -> Self {
        let (index, values) = Index::read(wanted(text, names));
        Self { index: Arc::new(index), values }
    }

    /// The same, for a process of which these names were read before: where it says the same
    /// series again, their values alone are read.
    #[must_use]
    pub fn parse_next(text: &str, names: &[&str], before: &Self) -> Self {
        match before.index.reread(wanted(text, names)) {
            Some(values) => Self { index: Arc::clone(&before.index), values },
            None => Self::parse_some(text, names),
        }
    }

    /// Adds another process's. Sums and buckets add up; gauges do too, which suits counts alone.
    pub fn add(&mut self, other: Self) {
        if self.values.is_empty() {
            *self = other;
        } else if self.index == other.index {
            self.values.iter_mut().zip(other.values).for_each(|(mine, its)| *mine += its);
        } else {
            Arc::make_mut(&mut self.index).merge(&mut self.values, &other.index, &other.values);
        }
    }

    /// The sum of a family's values over all series that carry these labels.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.with(name, labels).map(|(_, value)| value).sum()
    }

    /// The largest of a family's values over all series that carry these labels; zero without any.
    #[must_use]
    pub fn max(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.with(name, labels).map(|(_, value)| value).fold(0.0, f64::max)
    }

    /// A histogram over all series that carry these labels.
    #[must_use]
    pub fn buckets(&self, family: &str, labels: &[(&str, &str)]) -> Buckets {
        let mut all = Buckets::default();
        for (series, value) in self.with(&format!("{family}_bucket"), labels) {
            if let Some(bound) = series.bound {
                all.add(bound, value);
            }
        }
        all
    }

    /// True when there is a series of this very name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.index.by_name.contains_key(name)
    }

    /// The names of all that was read.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        self.index.by_name.keys().map(String::as_str).collect()
    }

    /// A family's values summed by the values of some labels, which are joined by a space. Only
    /// series that carry `only` count.
    #[must_use]
    pub fn sums_by(&self, name: &str, by: &[&str], only: &[(&str, &str)]) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for (series, value) in self.with(name, only) {
            *sums.entry(key(&series.labels, by)).or_default() += value;
        }
        sums
    }

    /// Histograms by the values of some labels.
    #[must_use]
    pub fn buckets_by(&self, family: &str, by: &[&str]) -> BTreeMap<String, Buckets> {
        let mut all: BTreeMap<String, Buckets> = BTreeMap::new();
        for (series, value) in self.with(&format!("{family}_bucket"), &[]) {
            if let Some(bound) = series.bound {
                all.entry(key(&series.labels, by)).or_default().add(bound, value);
            }
        }
        all
    }

    fn with<'a>(
        &'a self,
        name: &str,
        labels: &'a [(&str, &str)],
    ) -> impl Iterator<Item = (&'a Series, f64)> {
        let carries = |of: &Labels| {
            labels.iter().all(|(key, value)| of.iter().any(|(k, v)| k == key && v == value))
        };
        let places = self.index.by_name.get(name).into_iter().flatten();
        let all = places.map(|place| (&self.index.series[*place], self.values[*place]));
        all.filter(move |(series, _)| carries(&series.labels))
    }
}

/// Lines that begin with one of these names.
fn wanted<'a>(text: &'a str, names: &[&str]) -> impl Iterator<Item = &'a str> {
    text.lines().filter(|line| names.iter().any(|name| line.starts_with(name)))
}

/// The values of some labels, joined by a space; a label that isn't there is left out.
fn key(labels: &Labels, by: &[&str]) -> String {
    let of = |name: &&str| labels.iter().find(|(key, _)| key == name).map(|(_, v)| v.as_str());
    by.iter().filter_map(of).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
# HELP journey_duration_seconds Time of a critical path.
# TYPE journey_duration_seconds histogram
journey_duration_seconds_bucket{journey="a",le="0.1"} 50
journey_duration_seconds_bucket{journey="a",le="0.5"} 90
journey_duration_seconds_bucket{journey="a",le="+Inf"} 100
journey_duration_seconds_sum{journey="a"} 12.5
journey_duration_seconds_count{journey="a"} 100
journey_duration_seconds_bucket{journey="b",le="+Inf"} 0
messages_total{fate="sent"} 7
messages_total{fate="failed"} 1
stage_odd{text="a \"quoted\" } brace\\"} 3 1700000000000
journey_broken line
stage_nan NaN
elsewhere_total 9
"#;

    #[test]
    fn the_text_format_is_read() {
        let metrics = Metrics::parse(TEXT);
        assert_eq!(metrics.sum("messages_total", &[]), 8.0);
        assert_eq!(metrics.sum("messages_total", &[("fate", "sent")]), 7.0);
        assert_eq!(metrics.sum("stage_odd", &[("text", "a \"quoted\" } brace\\")]), 3.0);
        assert_eq!(metrics.sum("absent", &[]), 0.0);
        assert_eq!(metrics.sum("elsewhere_total", &[]), 0.0, "nobody looks at it");
    }

    #[test]
    fn quantiles_lie_within_their_bucket() {
        let buckets = Metrics::parse(TEXT).buckets("journey_duration_seconds", &[("journey", "a")]);
        assert_eq!(buckets.count(), 100);
        assert_eq!(buckets.quantile(0.5), Some(0.1));
        assert_eq!(buckets.quantile(0.75), Some(0.35));
        // What lies beyond the last bound is not made up.
        assert_eq!(buckets.quantile(0.99), Some(0.5));
        assert_eq!(buckets.share_within(0.5), Some(0.9));
        assert_eq!(Buckets::default().quantile(0.5), None);
    }

    #[test]
    fn series_are_grouped_by_their_labels() {
        let metrics = Metrics::parse(TEXT);
        let sums = metrics.sums_by("messages_total", &["fate"], &[]);
        assert_eq!(sums, BTreeMap::from([("failed".into(), 1.0), ("sent".into(), 7.0)]));
        let only = metrics.sums_by("messages_total", &[], &[("fate", "sent")]);
        assert_eq!(only, BTreeMap::from([(String::new(), 7.0)]));
        let by = metrics.buckets_by("journey_duration_seconds", &["journey"]);
        assert_eq!(by["a"], metrics.buckets("journey_duration_seconds", &[("journey", "a")]));
        assert_eq!(by.len(), 2);
        assert!(metrics.has("messages_total") && !metrics.has("messages"));
        let some = Metrics::parse_some(TEXT, &["elsewhere"]);
        assert_eq!(some.names().into_iter().collect::<Vec<_>>(), ["elsewhere_total"]);
    }

    #[test]
    fn processes_add_up_and_readings_subtract() {
        let mut both = Metrics::parse(TEXT);
        both.add(Metrics::parse(TEXT));
        assert_eq!(both.sum("messages_total", &[("fate", "sent")]), 14.0);
        let label = [("journey", "a")];
        let after = both.buckets("journey_duration_seconds", &label);
        let mut merged = Buckets::default();
        merged.merge(&after);
        assert_eq!(merged, after);
        let before = Metrics::parse(TEXT).buckets("journey_duration_seconds", &label);
        assert_eq!(after.count(), 200);
        assert_eq!(after.since(&before), before);
    }

    #[test]
    fn the_next_look_reads_as_if_it_were_the_first() {
        let before = Metrics::parse(TEXT);
        let more = format!("{TEXT}stage_new 1\n");
        let fewer = TEXT.replace("messages_total{fate=\"failed\"} 1\n", "");
        let longer = TEXT.replace("messages_total", "messages_totals");
        let twice = TEXT.replace("fate=\"failed\"", "fate=\"sent\"");
        let nan = TEXT.replace("{fate=\"failed\"} 1", "{fate=\"failed\"} NaN");
        let risen = TEXT.replace("} 50", "} 51").replace("NaN", "2");
        for text in [TEXT, &more, &fewer, &longer, &twice, &nan, &risen, ""] {
            let next = Metrics::parse_next(text, &FAMILIES, &before);
            assert_eq!(next, Metrics::parse(text), "{text}");
        }
        // The odd lines of this text are skipped at each look, so a clean one shows the short way.
        let clean = "stage_a{x=\"1\"} 1\nstage_b 2\n";
        let before = Metrics::parse(clean);
        let next = Metrics::parse_next(&clean.replace(" 2", " 3"), &FAMILIES, &before);
        assert!(Arc::ptr_eq(&before.index, &next.index), "names and labels were kept");
        assert_eq!((next.sum("stage_a", &[]), next.sum("stage_b", &[])), (1.0, 3.0));
    }

    #[test]
    fn processes_with_other_series_add_up_too() {
        let mut one = Metrics::parse("stage_a{x=\"1\"} 1\nstage_b 2\n");
        one.add(Metrics::parse("stage_b 3\nstage_a{x=\"2\"} 4\n"));
        let by = one.sums_by("stage_a", &["x"], &[]);
        assert_eq!(by, BTreeMap::from([("1".into(), 1.0), ("2".into(), 4.0)]));
        assert_eq!(one.sum("stage_b", &[]), 5.0);
    }
}
