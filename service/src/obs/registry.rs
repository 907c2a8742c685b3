//! The series that are our own: the histograms of the table's families, as they are what is
//! recorded for every request, statement, connection, journey and item, and the counters and gauges
//! of `readable`. One registry of each kind, for a scrape to walk.
//!
//! Belongs here: which series there are. Never here: how they are printed.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contract::Family;
use contract::family::Kind;
use metrics::Label;

use super::buckets::Grid;
use super::family;
use super::histogram::Histogram;
use super::label::{Pair, Value};
use super::stripe;

/// Most series of one family. The largest has about 700; labels are from closed sets, so this is
/// for the mistake that nobody has made yet.
pub(super) const SERIES_MAX: usize = 2_000;
/// The label of the one series that stands for all those for which there was no room.
pub(super) const OVERFLOW: (&str, &str) = ("overflow", "true");

/// A series of a family.
#[derive(Debug)]
pub(crate) struct Series<T> {
    /// Its labels as they are printed: `route="x",outcome="ok"`.
    pub(crate) labels: Arc<str>,
    /// Where it is counted.
    pub(crate) cell: Arc<T>,
}

impl<T> Clone for Series<T> {
    fn clone(&self) -> Self {
        Self { labels: Arc::clone(&self.labels), cell: Arc::clone(&self.cell) }
    }
}

/// The series of all families that are counted in one kind of cells.
pub(crate) struct Registry<T>(Mutex<[Vec<Series<T>>; Family::COUNT]>);

/// The histograms.
pub(crate) static HISTOGRAMS: Registry<Histogram> = Registry::new();
/// The counters of `readable`.
pub(crate) static COUNTS: Registry<stripe::Counter> = Registry::new();
/// The gauges of `readable`: the bits of a float.
pub(crate) static LEVELS: Registry<AtomicU64> = Registry::new();

impl<T> Registry<T> {
    const fn new() -> Self {
        Self(Mutex::new([const { Vec::new() }; Family::COUNT]))
    }

    fn of(&self) -> MutexGuard<'_, [Vec<Series<T>>; Family::COUNT]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All series of a family as of now.
    pub(crate) fn all(&self, family: Family) -> Vec<Series<T>> {
        self.of()[family.index()].clone()
    }

    /// The series with these labels, made if it is new: the overflow's where its family is full.
    fn find_or_make(&self, family: Family, labels: &[Label], made: impl FnOnce() -> T) -> Arc<T> {
        let (cell, is_dropped) = find_or_make(&mut self.of()[family.index()], labels, made);
        dropped(is_dropped);
        cell
    }

    /// A series of its own with these labels, at zero, whatever was counted under them before: from
    /// now on this is what a scrape sees. The overflow's where its family is full, which all those
    /// share for whom there was no room.
    pub(super) fn make<V: Into<Value>, const N: usize>(
        &self,
        family: Family,
        labels: [Pair<V>; N],
        made: impl FnOnce() -> T,
    ) -> Arc<T> {
        let labels = family::of_row(family, labels);
        let (cell, is_dropped) = replace_or_make(&mut self.of()[family.index()], &labels, made);
        dropped(is_dropped);
        cell
    }
}

/// Counts a series that was not made.
fn dropped(is_dropped: bool) {
    if is_dropped {
        family::counter(Family::MetricsSeriesDropped, family::NONE).increment(1);
    }
}

/// The series and whether it is not the one that was asked for. One that is known has a new cell.
fn replace_or_make<T>(
    of: &mut Vec<Series<T>>,
    labels: &[Label],
    made: impl FnOnce() -> T,
) -> (Arc<T>, bool) {
    let printed = printed(labels);
    match of.iter_mut().find(|series| *series.labels == *printed) {
        Some(known) => {
            known.cell = Arc::new(made());
            (Arc::clone(&known.cell), false)
        }
        None => find_or_make(of, labels, made),
    }
}

/// The series and whether it is not the one that was asked for.
fn find_or_make<T>(
    of: &mut Vec<Series<T>>,
    labels: &[Label],
    made: impl FnOnce() -> T,
) -> (Arc<T>, bool) {
    let mut made = Some(made);
    let mut find = |labels: String, room: usize| {
        if let Some(known) = of.iter().find(|series| *series.labels == *labels) {
            return Some(Arc::clone(&known.cell));
        }
        if of.len() >= room {
            return None;
        }
        let cell = Arc::new(made.take()?());
        of.push(Series { labels: labels.into(), cell: Arc::clone(&cell) });
        Some(cell)
    };
    if let Some(cell) = find(printed(labels), SERIES_MAX) {
        return (cell, false);
    }
    let overflow = find(printed(&[Label::from(&OVERFLOW)]), SERIES_MAX + 1);
    (overflow.expect("it has the one place above the others"), true)
}

/// The families that are histograms, in the order in which they are printed.
pub(crate) fn histograms() -> impl Iterator<Item = Family> {
    Family::ALL.iter().copied().filter(|family| family.spec().kind == Kind::Histogram)
}

/// The histogram family of that name, if the table has it.
pub(crate) fn histogram(name: &str) -> Option<Family> {
    Family::from_name(name).filter(|family| family.spec().kind == Kind::Histogram)
}

/// The histogram of a series, made if it is new. None of a family that is not in the table.
pub(crate) fn series(name: &str, labels: &[Label]) -> Option<Arc<Histogram>> {
    let family = histogram(name)?;
    let made = || Histogram::new(Grid::of(family));
    Some(HISTOGRAMS.find_or_make(family, labels, made))
}

/// The same, for families and labels that are known to the program.
pub(super) fn of<V: Into<Value>, const N: usize>(
    family: Family,
    labels: [Pair<V>; N],
) -> Arc<Histogram> {
    let labels = family::of_row(family, labels);
    series(family.name(), &labels).expect("the caller names a histogram")
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
        let mut of = Vec::new();
        let made = || Histogram::new(Grid::of(Family::StageBatchSize));
        let mut record = |n: usize| {
            let label = Label::new("stage", n.to_string());
            let (histogram, is_dropped) = find_or_make(&mut of, &[label], made);
            histogram.record(1, None);
            is_dropped
        };
        assert_eq!((0..10_000).filter(|&n| record(n)).count(), 10_000 - SERIES_MAX);
        // What was there before it was full goes on to be counted.
        assert!(!record(7));
        assert_eq!(of.len(), SERIES_MAX + 1);
        let count = |series: &Series<Histogram>| series.cell.snapshot().count();
        assert_eq!(count(&of[7]), 2);
        let overflow = of.last().unwrap();
        assert_eq!(&*overflow.labels, r#"overflow="true""#);
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
    fn a_series_that_is_made_again_takes_the_place_of_the_one_before() {
        let registry = Registry::new();
        let made = |n: u32| registry.make(Family::StageHeld, [("stage", "x")], || n);
        let (first, second) = (made(1), made(2));
        assert_eq!((*first, *second), (1, 2));
        let all = registry.all(Family::StageHeld);
        assert_eq!(all.iter().map(|series| *series.cell).collect::<Vec<_>>(), [2]);
        assert_eq!(&*all[0].labels, r#"stage="x""#);
    }

    #[test]
    fn those_for_whom_there_is_no_room_share_one_series() {
        let mut of = Vec::new();
        let mut make = |n: usize| {
            replace_or_make(&mut of, &[Label::new("stage", n.to_string())], stripe::Counter::new)
        };
        for n in 0..SERIES_MAX + 3 {
            let (count, is_dropped) = make(n);
            count.add(1);
            assert_eq!(is_dropped, n >= SERIES_MAX, "{n}");
        }
        // What has its place keeps it.
        let (again, is_dropped) = make(7);
        assert_eq!((again.get(), is_dropped), (0, false));
        assert_eq!((of.len(), of[SERIES_MAX].cell.get()), (SERIES_MAX + 1, 3));
        assert_eq!(&*of[SERIES_MAX].labels, r#"overflow="true""#);
    }

    #[test]
    fn labels_are_escaped() {
        let labels = [Label::new("a", "x\"y\\z\n"), Label::new("b", "")];
        assert_eq!(printed(&labels), r#"a="x\"y\\z\n",b="""#);
    }
}
