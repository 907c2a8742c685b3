//! The exporter's lines, which are in format 0.0.4, as OpenMetrics.
//!
//! Belongs here: where the two differ. Never here: what we print ourselves (`lines`, `scalars`).

use std::fmt::Write as _;

/// The exporter's lines as OpenMetrics: that names a counter's family without its `_total`, has no
/// empty lines, and bounds with a point in them.
#[derive(Default)]
pub(super) struct TakenOver<'a> {
    /// The family of which the next samples are, if it is a counter.
    counter: &'a str,
}

impl<'a> TakenOver<'a> {
    /// One of them, with its line break.
    pub(super) fn line(&mut self, line: &'a str, out: &mut String) {
        let line = line.trim_end_matches('\n');
        if line.is_empty() {
            return;
        }
        let Some(comment) = line.strip_prefix("# ") else {
            sample(line, self.counter, out);
            out.push('\n');
            return;
        };
        let mut words = comment.splitn(3, ' ');
        let (what, family) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let rest = words.next().unwrap_or_default();
        let is_counter = rest == "counter" || (what == "HELP" && family.ends_with("_total"));
        self.counter = if is_counter { family } else { "" };
        let family = if is_counter { family.trim_end_matches("_total") } else { family };
        _ = writeln!(out, "# {what} {family} {rest}");
    }
}

fn sample(line: &str, counter: &str, out: &mut String) {
    // A counter that is not called so would be another family's sample.
    if !counter.is_empty() && !counter.ends_with("_total") {
        let (name, rest) = line.split_at(counter.len());
        _ = write!(out, "{name}_total{rest}");
        return;
    }
    let Some((head, tail)) = line.split_once("le=\"") else {
        out.push_str(line);
        return;
    };
    let (bound, tail) = tail.split_once('"').unwrap_or((tail, ""));
    let point = if bound.contains(['.', 'e', 'I']) { "" } else { ".0" };
    _ = write!(out, "{head}le=\"{bound}{point}\"{tail}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_bounds_are_named_anew() {
        let mut out = String::new();
        let mut taken_over = TakenOver::default();
        let text = "# HELP a_total Of a.\n# TYPE a_total counter\na_total{x=\"1\"} 3\n\n\
             # TYPE b gauge\nb 1\n\n# HELP c Of c.\n# TYPE c histogram\n\
             c_bucket{le=\"1\"} 0\nc_bucket{le=\"0.5\"} 0\nc_bucket{le=\"+Inf\"} 0\n\
             c_sum 0\nc_count 0\n# TYPE d counter\nd 7\nd{x=\"1\"} 8\n";
        text.split_inclusive('\n').for_each(|line| taken_over.line(line, &mut out));
        assert_eq!(
            out,
            "# HELP a Of a.\n# TYPE a counter\na_total{x=\"1\"} 3\n# TYPE b gauge\nb 1\n\
             # HELP c Of c.\n# TYPE c histogram\nc_bucket{le=\"1.0\"} 0\nc_bucket{le=\"0.5\"} 0\n\
             c_bucket{le=\"+Inf\"} 0\nc_sum 0\nc_count 0\n\
             # TYPE d counter\nd_total 7\nd_total{x=\"1\"} 8\n"
        );
    }
}
