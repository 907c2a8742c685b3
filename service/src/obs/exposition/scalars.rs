//! The counters and gauges of `readable`, in both formats.
//!
//! Belongs here: how they are written down. Never here: histograms (`lines`), and what the exporter
//! holds (`taken_over`).

use std::fmt::{Display, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use contract::Family;

use super::{Format, head};
use crate::obs::registry::{COUNTS, LEVELS};

/// A family and its series with their labels, as of one moment.
type Read<T> = (Family, Vec<(Arc<str>, T)>);

/// Prints all of them behind what is there.
pub(super) fn print(out: &mut String, format: Format) {
    let counts = read(|family| {
        let all = COUNTS.all(family).into_iter();
        all.map(|series| (series.labels, series.cell.get())).collect()
    });
    let levels = read(|family| {
        let all = LEVELS.all(family).into_iter();
        let told = |bits| f64::from_bits(bits);
        all.map(|series| (series.labels, told(series.cell.load(Ordering::Relaxed)))).collect()
    });
    counts.iter().rev().for_each(|of| samples(out, format, of));
    levels.iter().rev().for_each(|of| samples(out, format, of));
}

/// Reads all families from the table's end: those of what is good come behind those of all, so what
/// is good is never more.
fn read<T>(of: impl Fn(Family) -> Vec<(Arc<str>, T)>) -> Vec<Read<T>> {
    Family::ALL.iter().rev().map(|&family| (family, of(family))).collect()
}

/// A family without series is left out.
fn samples<T: Display>(out: &mut String, format: Format, (family, all): &Read<T>) {
    if !all.is_empty() {
        head(out, format, *family);
    }
    for (labels, number) in all {
        out.push_str(family.name());
        if !labels.is_empty() {
            out.push('{');
            out.push_str(labels);
            out.push('}');
        }
        // Writing to a String can't fail.
        _ = writeln!(out, " {number}");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::obs;

    /// The exporter's, ours and the kernel's are three sources of one text.
    #[test]
    fn each_family_is_told_once() {
        obs::install().unwrap();
        for format in [Format::Text, Format::OpenMetrics] {
            let text = obs::rendered(format);
            let mut told = HashSet::new();
            for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
                let (family, _kind) = line.split_once(' ').unwrap();
                assert!(told.insert(family), "{family} twice");
            }
            assert!(told.len() > 50, "{told:?}");
        }
    }

    #[test]
    fn what_is_good_is_read_before_all() {
        for (all, good) in [
            (Family::SloRequests, Family::SloGoodRequests),
            (Family::SloJourneys, Family::SloGoodJourneys),
            (Family::SloStageItems, Family::SloGoodStageItems),
        ] {
            let order: Vec<Family> = read::<u64>(|_| Vec::new()).iter().map(|of| of.0).collect();
            let at = |family| order.iter().position(|known| *known == family);
            assert!(at(good) < at(all), "{}", good.name());
        }
    }

    #[test]
    fn numbers_that_are_none() {
        let mut out = String::new();
        let all = [f64::NAN, f64::INFINITY, -0.5].map(|number| ("".into(), number));
        samples(&mut out, Format::Text, &(Family::FoldLag, all.into()));
        assert!(
            out.ends_with("fold_lag_seconds NaN\nfold_lag_seconds inf\nfold_lag_seconds -0.5\n")
        );
    }

    #[test]
    fn numbers_in_both_formats() {
        obs::install().unwrap();
        let text = obs::rendered(Format::Text);
        let open = obs::rendered(Format::OpenMetrics);
        let (family, help) = (Family::Messages.name(), Family::Messages.help());
        assert!(text.contains(&format!("# HELP {family} {help}\n# TYPE {family} counter\n")));
        let stem = family.strip_suffix("_total").unwrap();
        assert!(open.contains(&format!("# TYPE {stem} counter\n# HELP {stem} {help}\n{family}{{")));
        for text in [text, open] {
            let line = "slo_objective_ratio{http_route=\"put_practice\",slo=\"availability\"} 0.";
            assert!(text.contains(line), "{text}");
            assert!(text.lines().any(|line| line.starts_with("fold_lag_seconds ")), "{text}");
        }
    }
}
