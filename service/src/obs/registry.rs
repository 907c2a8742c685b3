//! The histograms of the table's families: all of them are our own, as they are what is recorded
//! for every request, statement, connection, journey and item. One registry, for a scrape to walk.
//!
//! Belongs here: their series. Never here: how they are printed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contract::Family;
use contract::family::Kind;
use metrics::Label;

use super::buckets::Grid;
use super::family;
use super::histogram::Histogram;
use super::label::{Pair, Value};

/// Most series of one family. The largest has about 700; labels are from closed sets, so this is
/// for the mistake that nobody has made yet.
pub(super) const SERIES_MAX: usize = 2_000;
/// The label of the one series that stands for all those for which there was no room.
pub(super) const OVERFLOW: (&str, &str) = ("overflow", "true");

/// A series of a family.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    /// Its labels as they are printed: `route="x",outcome="ok"`.
    pub(crate) labels: String,
    /// What it counts.
    pub(crate) histogram: Arc<Histogram>,
}

static REGISTRY: Mutex<[Vec<Series>; Family::COUNT]> =
    Mutex::new([const { Vec::new() }; Family::COUNT]);

fn registry() -> MutexGuard<'static, [Vec<Series>; Family::COUNT]> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The families that are histograms, in the order in which they are printed.
pub(crate) fn families() -> impl Iterator<Item = Family> {
    Family::ALL.iter().copied().filter(|family| family.spec().kind == Kind::Histogram)
}

/// The histogram family of that name, if the table has it.
pub(crate) fn family(name: &str) -> Option<Family> {
    Family::from_name(name).filter(|family| family.spec().kind == Kind::Histogram)
}

/// The histogram of a series, made if it is new: the overflow's where its family is full. None of a
/// family that is not in the table.
pub(crate) fn series(name: &str, labels: &[Label]) -> Option<Arc<Histogram>> {
    let family = family(name)?;
    let (histogram, is_dropped) = find_or_make(&mut registry()[family.index()], family, labels);
    if is_dropped {
        family::counter(Family::MetricsSeriesDropped, family::NONE).increment(1);
    }
    Some(histogram)
}

/// The series and whether it is not the one that was asked for.
fn find_or_make(of: &mut Vec<Series>, family: Family, labels: &[Label]) -> (Arc<Histogram>, bool) {
    let mut find = |labels: String, room: usize| {
        if let Some(known) = of.iter().find(|series| series.labels == labels) {
            return Some(Arc::clone(&known.histogram));
        }
        let histogram = Arc::new(Histogram::new(Grid::of(family)));
        let is_room = of.len() < room;
        if is_room {
            of.push(Series { labels, histogram: Arc::clone(&histogram) });
        }
        is_room.then_some(histogram)
    };
    if let Some(histogram) = find(printed(labels), SERIES_MAX) {
        return (histogram, false);
    }
    let overflow = find(printed(&[Label::from(&OVERFLOW)]), SERIES_MAX + 1);
    (overflow.expect("it has the one place above the others"), true)
}

/// The same, for families and labels that are known to the program.
pub(super) fn of<V: Into<Value>, const N: usize>(
    family: Family,
    labels: [Pair<V>; N],
) -> Arc<Histogram> {
    let labels = family::of_row(family, labels);
    series(family.name(), &labels).expect("the caller names a histogram")
}

/// All series of a family as of now.
pub(crate) fn all(family: Family) -> Vec<Series> {
    registry()[family.index()].clone()
}

/// Labels as the text formats want them.
fn printed(labels: &[Label]) -> String {
    let mut text = String::new();
    for label in labels {
        let separator = if text.is_empty() { "" } else { "," };
        text.push_str(separator);
        text.push_str(label.key());
        text.push_str("=\"");
        for c in label.value().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                c => text.push(c),
            }
        }
        text.push('"');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_series_for_one_set_of_labels_and_none_for_other_families() {
        let label = |value: &'static str| [Label::new("journey", value)];
        let family = "journey_duration_seconds";
        let a = series(family, &label("test_a")).unwrap();
        assert!(Arc::ptr_eq(&a, &series(family, &label("test_a")).unwrap()));
        assert!(!Arc::ptr_eq(&a, &series(family, &label("test_b")).unwrap()));
        assert!(series("messages_total", &label("test_a")).is_none());
        assert!(series("somebody_elses_seconds", &label("test_a")).is_none());
    }

    #[test]
    fn a_family_that_is_full_counts_the_rest_as_one() {
        let (mut of, family) = (Vec::new(), Family::StageBatchSize);
        let mut record = |n: usize| {
            let label = Label::new("stage", n.to_string());
            let (histogram, is_dropped) = find_or_make(&mut of, family, &[label]);
            histogram.record(1, None);
            is_dropped
        };
        assert_eq!((0..10_000).filter(|&n| record(n)).count(), 10_000 - SERIES_MAX);
        // What was there before it was full goes on to be counted.
        assert!(!record(7));
        assert_eq!(of.len(), SERIES_MAX + 1);
        let count = |series: &Series| series.histogram.snapshot().count();
        assert_eq!(count(&of[7]), 2);
        let overflow = of.last().unwrap();
        assert_eq!(overflow.labels, r#"overflow="true""#);
        assert_eq!(count(overflow), 10_000 - SERIES_MAX as u64);
    }

    #[test]
    fn series_that_are_not_made_are_counted() {
        crate::obs::install().unwrap();
        let dropped = || {
            let text = crate::obs::rendered(crate::obs::Format::Text);
            let name = Family::MetricsSeriesDropped.name();
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap().parse::<u64>().unwrap()
        };
        assert_eq!(dropped(), 0);
        // A family of its own: the series stay for the whole process.
        let family = Family::DbClientConnectionsCreateTime.name();
        for n in 0..SERIES_MAX + 5 {
            series(family, &[Label::new("pool", n.to_string())]).unwrap().record(1, None);
        }
        assert!(dropped() > 0);
        let text = crate::obs::rendered(crate::obs::Format::Text);
        let of_family = text.lines().filter(|line| line.starts_with(&format!("{family}_count")));
        let lines: Vec<&str> = of_family.collect();
        assert_eq!(lines.len(), SERIES_MAX + 1);
        assert!(lines.iter().any(|line| line.contains(r#"overflow="true""#)));
    }

    #[test]
    fn labels_are_escaped() {
        let labels = [Label::new("a", "x\"y\\z\n"), Label::new("b", "")];
        assert_eq!(printed(&labels), r#"a="x\"y\\z\n",b="""#);
    }
}
