//! The service's own metrics, read from its `/metrics`: what the harness can't see from outside,
//! such as how long receipts take or how late a stage is.
//!
//! Belongs here: parsing the text format (0.0.4) and adding up several processes. Never here:
//! requests that the harness sends itself; those it measures better.

use std::collections::{BTreeMap, BTreeSet};

/// What a replay reads of the service's metrics: all else, thousands of lines, is skipped unparsed.
pub const FAMILIES: [&str; 5] =
    ["journey_", "stage_", "http_server_request_", "messages_total", "limit_reached_total"];

/// One process's or several processes' metrics: values by name and labels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    samples: BTreeMap<String, BTreeMap<Labels, f64>>,
}

type Labels = Vec<(String, String)>;

/// A histogram by its cumulative buckets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Buckets {
    /// Upper bound and how many are at or below it, the bounds rising, the last infinite.
    pub cumulative: Vec<(f64, f64)>,
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
        let mut metrics = Self::default();
        let wanted = |line: &&str| names.iter().any(|name| line.starts_with(name));
        for (name, labels, value) in text.lines().filter(wanted).filter_map(parse_line) {
            if !metrics.samples.contains_key(name) {
                metrics.samples.insert(name.to_owned(), BTreeMap::new());
            }
            if let Some(samples) = metrics.samples.get_mut(name) {
                samples.insert(labels, value);
            }
        }
        metrics
    }

    /// Adds another process's. Sums and buckets add up; gauges do too, which suits counts alone.
    pub fn add(&mut self, other: Self) {
        for (name, samples) in other.samples {
            let mine = self.samples.entry(name).or_default();
            for (labels, value) in samples {
                *mine.entry(labels).or_default() += value;
            }
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
        for (labels, value) in self.with(&format!("{family}_bucket"), labels) {
            let bound = labels.iter().find(|(key, _)| key == "le");
            let Some(bound) = bound.and_then(|(_, le)| parse_number(le)) else { continue };
            all.add(bound, value);
        }
        all
    }

    /// True when there is a series of this very name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.samples.contains_key(name)
    }

    /// The names of all that was read.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        self.samples.keys().map(String::as_str).collect()
    }

    /// A family's values summed by the values of some labels, which are joined by a space. Only
    /// series that carry `only` count.
    #[must_use]
    pub fn sums_by(&self, name: &str, by: &[&str], only: &[(&str, &str)]) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for (labels, value) in self.with(name, only) {
            *sums.entry(key(labels, by)).or_default() += value;
        }
        sums
    }

    /// Histograms by the values of some labels.
    #[must_use]
    pub fn buckets_by(&self, family: &str, by: &[&str]) -> BTreeMap<String, Buckets> {
        let mut all: BTreeMap<String, Buckets> = BTreeMap::new();
        for (labels, value) in self.with(&format!("{family}_bucket"), &[]) {
            let bound = labels.iter().find(|(key, _)| key == "le");
            let Some(bound) = bound.and_then(|(_, le)| parse_number(le)) else { continue };
            all.entry(key(labels, by)).or_default().add(bound, value);
        }
        all
    }

    fn with<'a>(
        &'a self,
        name: &str,
        labels: &'a [(&str, &str)],
    ) -> impl Iterator<Item = (&'a Labels, f64)> {
        let carries = |of: &Labels| {
            labels.iter().all(|(key, value)| of.iter().any(|(k, v)| k == key && v == value))
        };
        let samples = self.samples.get(name).into_iter().flatten();
        samples.filter(move |(of, _)| carries(of)).map(|(of, value)| (of, *value))
    }
}

impl Buckets {
    /// Adds to what is at or below a bound.
    fn add(&mut self, bound: f64, count: f64) {
        match self.cumulative.binary_search_by(|(b, _)| b.total_cmp(&bound)) {
            Ok(place) => self.cumulative[place].1 += count,
            Err(place) => self.cumulative.insert(place, (bound, count)),
        }
    }

    /// Adds another process's.
    pub fn merge(&mut self, other: &Self) {
        other.cumulative.iter().for_each(|(bound, count)| self.add(*bound, *count));
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.cumulative.last().map_or(0, |(_, count)| *count as u64)
    }

    /// How many came since an earlier reading of the same histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |bound: f64| {
            earlier.cumulative.iter().find(|(b, _)| *b == bound).map_or(0.0, |(_, count)| *count)
        };
        let cumulative =
            self.cumulative.iter().map(|(b, count)| (*b, (count - before(*b)).max(0.0)));
        Self { cumulative: cumulative.collect() }
    }

    /// A quantile, interpolated within its bucket as Prometheus does; what lies beyond the last
    /// finite bound reads as that bound. `None` when empty.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let total = self.cumulative.last()?.1;
        if total <= 0.0 {
            return None;
        }
        let rank = q * total;
        let at = self.cumulative.iter().position(|(_, count)| *count >= rank)?;
        let (bound, count) = self.cumulative[at];
        let (low, below) = if at == 0 { (0.0, 0.0) } else { self.cumulative[at - 1] };
        if bound.is_infinite() {
            return Some(low);
        }
        if count <= below {
            return Some(bound);
        }
        Some(low + (bound - low) * (rank - below) / (count - below))
    }

    /// The share at or below a bound; exact when it is a bucket's. `None` when empty.
    #[must_use]
    pub fn share_within(&self, bound: f64) -> Option<f64> {
        let total = self.cumulative.last().map(|(_, count)| *count).filter(|n| *n > 0.0)?;
        let within = self.cumulative.iter().rev().find(|(b, _)| *b <= bound + 1e-9);
        Some(within.map_or(0.0, |(_, count)| *count) / total)
    }
}

/// The values of some labels, joined by a space; a label that isn't there is left out.
fn key(labels: &Labels, by: &[&str]) -> String {
    let of = |name: &&str| labels.iter().find(|(key, _)| key == name).map(|(_, v)| v.as_str());
    by.iter().filter_map(of).collect::<Vec<_>>().join(" ")
}

fn parse_line(line: &str) -> Option<(&str, Labels, f64)> {
    let name_end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(name_end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => parse_labels(rest)?,
        None => (Vec::new(), rest),
    };
    // A timestamp or an exemplar may follow the value.
    let value = parse_number(rest.split_whitespace().next()?)?;
    Some((name, labels, value))
}

/// Labels up to the closing brace, and what follows it.
fn parse_labels(mut rest: &str) -> Option<(Labels, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (key, after) = rest.split_once("=\"")?;
        let (value, after) = unquote(after)?;
        labels.push((key.to_owned(), value));
        rest = after;
    }
}

/// A quoted value without its quotes and escapes, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

fn parse_number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => None,
        number => number.parse().ok(),
    }
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
}
