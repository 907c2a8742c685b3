//! Handles of the exporter's counters and gauges, by the rows of the family table: registered once,
//! at zero, with the labels that the row allows. What the process reads itself, and what has many
//! series, is `readable`'s.
//!
//! Never here: a name; those are the table's.

use contract::Family;
use contract::family::Kind;
use metrics::{Counter, Gauge, Key, Label, Level, Metadata, Recorder};

use super::label::{self, Pair, Value};

/// Says of every family what it is, also of those that have no series yet.
#[expect(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "here is where the bans point to; the macros call the method"
)]
pub(super) fn describe_all() {
    for &family in Family::ALL {
        let (name, help) = (family.name(), family.help());
        match family.spec().kind {
            Kind::Counter => metrics::describe_counter!(name, help),
            Kind::Gauge => metrics::describe_gauge!(name, help),
            Kind::Histogram => metrics::describe_histogram!(name, help),
        }
    }
}

/// A counter of a family, at zero.
pub(super) fn counter<V: Into<Value>, const N: usize>(
    family: Family,
    labels: [Pair<V>; N],
) -> Counter {
    let key = key(family, Kind::Counter, labels);
    let counter = with_recorder(|recorder| recorder.register_counter(&key, &METADATA));
    counter.increment(0);
    counter
}

/// A gauge of a family, at zero.
pub(super) fn gauge<V: Into<Value>, const N: usize>(family: Family, labels: [Pair<V>; N]) -> Gauge {
    let key = key(family, Kind::Gauge, labels);
    let gauge = with_recorder(|recorder| recorder.register_gauge(&key, &METADATA));
    gauge.set(0.0);
    gauge
}

/// For a family without labels.
pub(super) const NONE: [Pair<&str>; 0] = [];

static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

#[expect(clippy::disallowed_methods, reason = "here is where the ban points to")]
fn with_recorder<T>(work: impl FnOnce(&dyn Recorder) -> T) -> T {
    metrics::with_recorder(work)
}

fn key<V: Into<Value>, const N: usize>(family: Family, kind: Kind, labels: [Pair<V>; N]) -> Key {
    let spec = family.spec();
    assert!(spec.kind == kind, "{} is a {}", family.name(), spec.kind.name());
    Key::from_parts(family.name(), of_row(family, labels).to_vec())
}

/// The labels of a series, which must be those of its family's row.
pub(super) fn of_row<V: Into<Value>, const N: usize>(
    family: Family,
    labels: [Pair<V>; N],
) -> [Label; N] {
    labels.map(|pair| {
        let (name, spec) = (pair.0, family.spec());
        assert!(spec.labels.contains(&name), "{} has no label {name}", family.name());
        label::label(pair)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "messages_total has no label phone")]
    fn a_label_that_the_row_does_not_have_is_refused() {
        drop(counter(Family::Messages, [("phone", "x")]));
    }

    #[test]
    #[should_panic(expected = "messages_total is a counter")]
    fn so_is_another_kind() {
        drop(gauge(Family::Messages, [("fate", "sent")]));
    }
}
