//! The histograms of the table's families: all of them are our own, as they are what is recorded
//! for every request, statement, connection, journey and item. One registry, for a scrape to walk.
//!
//! Belongs here: their series. Never here: how they are printed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contract::Family;
use contract::family::Kind;
use metrics::{Label, SharedString};

use super::buckets::Grid;
use super::histogram::Histogram;

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

/// The histogram of a series, made if it is new; none of a family that is not in the table.
pub(crate) fn series(name: &str, labels: &[Label]) -> Option<Arc<Histogram>> {
    let family = family(name)?;
    let place = family.index();
    let labels = printed(labels);
    let mut registry = registry();
    if let Some(known) = registry[place].iter().find(|series| series.labels == labels) {
        return Some(Arc::clone(&known.histogram));
    }
    let histogram = Arc::new(Histogram::new(Grid::of(family)));
    registry[place].push(Series { labels, histogram: Arc::clone(&histogram) });
    Some(histogram)
}

/// The same, for families and labels that are known to the program.
pub(crate) fn of<V: Into<SharedString>, const N: usize>(
    family: Family,
    labels: [(&'static str, V); N],
) -> Arc<Histogram> {
    let labels = labels.map(|(name, value)| {
        assert!(family.spec().labels.contains(&name), "{} has no label {name}", family.name());
        Label::new(name, value)
    });
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
    fn labels_are_escaped() {
        let labels = [Label::new("a", "x\"y\\z\n"), Label::new("b", "")];
        assert_eq!(printed(&labels), r#"a="x\"y\\z\n",b="""#);
    }
}
