//! The recorder behind the `metrics` facade: the table's histograms are ours, everything else that
//! comes through it goes to the exporter, and no family gets more series than its cap, whatever
//! somebody registers.
//!
//! Belongs here: where a series goes. Never here: what it is called.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use contract::Family;
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Label, Metadata, Recorder, SharedString, Unit,
};
use metrics_exporter_prometheus::PrometheusRecorder;

use super::registry::{self, OVERFLOW, SERIES_MAX};

/// Counts series that were not made.
const DROPPED: &str = Family::MetricsSeriesDropped.name();

/// See the module.
pub(super) struct Facade {
    exporter: PrometheusRecorder,
    seen: Mutex<HashMap<String, HashSet<Key>>>,
}

impl Facade {
    pub(super) fn new(exporter: PrometheusRecorder) -> Self {
        Self { exporter, seen: Mutex::default() }
    }

    /// The key itself, or its family's overflow where there is no room for it.
    fn within_cap(&self, key: &Key, metadata: &Metadata<'_>) -> Key {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let family = seen.entry(key.name().to_owned()).or_default();
        if family.contains(key) {
            return key.clone();
        }
        if family.len() < SERIES_MAX {
            family.insert(key.clone());
            return key.clone();
        }
        drop(seen);
        self.exporter.register_counter(&Key::from_static_name(DROPPED), metadata).increment(1);
        Key::from_parts(key.name().to_owned(), vec![Label::from(&OVERFLOW)])
    }
}

impl Recorder for Facade {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.exporter.describe_counter(name, unit, help);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.exporter.describe_gauge(name, unit, help);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        if registry::histogram(name.as_str()).is_none() {
            self.exporter.describe_histogram(name, unit, help);
        }
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        self.exporter.register_counter(&self.within_cap(key, metadata), metadata)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.exporter.register_gauge(&self.within_cap(key, metadata), metadata)
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        let labels: Vec<Label> = key.labels().cloned().collect();
        match registry::series(key.name(), &labels) {
            Some(histogram) => Histogram::from_arc(histogram),
            None => self.exporter.register_histogram(&self.within_cap(key, metadata), metadata),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::Level;
    use metrics_exporter_prometheus::PrometheusBuilder;

    #[test]
    fn a_family_that_is_full_counts_the_rest_as_one() {
        let exporter = PrometheusBuilder::new().build_recorder();
        let handle = exporter.handle();
        let facade = Facade::new(exporter);
        let metadata = Metadata::new("test", Level::INFO, None);
        let count = |n: usize| {
            let labels = vec![Label::new("n", n.to_string())];
            let key = Key::from_parts("paths_total", labels);
            facade.register_counter(&key, &metadata).increment(1);
        };
        (0..10_000).for_each(count);
        // What was there before it was full goes on to be counted.
        count(7);
        let text = handle.render();
        assert_eq!(text.lines().filter(|l| l.starts_with("paths_total")).count(), SERIES_MAX + 1);
        assert!(text.contains("paths_total{n=\"7\"} 2\n"));
        assert!(
            text.contains(&format!("paths_total{{overflow=\"true\"}} {}\n", 10_000 - SERIES_MAX))
        );
        assert!(text.contains(&format!("{DROPPED} {}\n", 10_000 - SERIES_MAX)), "{text}");
    }

    #[test]
    fn the_tables_histograms_pass_the_exporter_by() {
        let exporter = PrometheusBuilder::new().build_recorder();
        let handle = exporter.handle();
        let facade = Facade::new(exporter);
        let metadata = Metadata::new("test", Level::INFO, None);
        let key = |name| Key::from_parts(name, vec![Label::new("journey", "test_facade")]);
        facade.register_histogram(&key("journey_duration_seconds"), &metadata).record(0.2);
        facade.register_histogram(&key("somebody_elses_seconds"), &metadata).record(0.2);
        let text = handle.render();
        assert!(text.contains("somebody_elses_seconds") && !text.contains("journey_duration"));
        let ours =
            registry::series("journey_duration_seconds", &[Label::new("journey", "test_facade")]);
        assert_eq!(ours.unwrap().snapshot().count(), 1);
    }
}
