//! Which series a text in Prometheus' format has, in its order and by name. A process says the
//! same series at nearly every look, so what was read of their names and labels is kept, and the
//! next look reads the values alone: there are some 25,000 lines.
//!
//! Belongs here: taking lines apart. Never here: values (`scrape`).

use std::collections::{BTreeMap, HashMap};

pub(super) type Labels = Vec<(String, String)>;

/// The series of a text.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Index {
    pub(super) series: Vec<Series>,
    /// Places in `series`.
    pub(super) by_name: BTreeMap<String, Vec<usize>>,
}

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    /// Name and labels as they are printed.
    pub(super) text: Box<str>,
    pub(super) labels: Labels,
    /// The bound of a bucket.
    pub(super) bound: Option<f64>,
}

/// A line in parts.
struct Line<'a> {
    text: &'a str,
    name: &'a str,
    labels: Labels,
    value: f64,
}

impl Index {
    /// Reads lines. One that can't be read is skipped; of one that comes twice the later counts.
    pub(super) fn read<'a>(lines: impl Iterator<Item = &'a str>) -> (Self, Vec<f64>) {
        let (mut index, mut values) = (Self::default(), Vec::new());
        let mut places: HashMap<&str, usize> = HashMap::new();
        for Line { text, name, labels, value } in lines.filter_map(parse_line) {
            if let Some(place) = places.get(text) {
                values[*place] = value;
                continue;
            }
            places.insert(text, values.len());
            index.push(name, Series::new(text, labels));
            values.push(value);
        }
        (index, values)
    }

    /// The values of lines that are of exactly these series in this order.
    pub(super) fn reread<'a>(&self, lines: impl Iterator<Item = &'a str>) -> Option<Vec<f64>> {
        let mut values = Vec::with_capacity(self.series.len());
        for line in lines {
            let series = self.series.get(values.len())?;
            let rest = line.strip_prefix(&*series.text)?;
            values.push(rest.starts_with(' ').then(|| parse_value(rest))??);
        }
        (values.len() == self.series.len()).then_some(values)
    }

    /// Adds another's values to those of the same series; what is new is added at the end.
    pub(super) fn merge(&mut self, mine: &mut Vec<f64>, other: &Self, theirs: &[f64]) {
        let places: HashMap<Box<str>, usize> =
            self.series.iter().enumerate().map(|(i, s)| (s.text.clone(), i)).collect();
        for (name, of_name) in &other.by_name {
            for place in of_name {
                let series = &other.series[*place];
                if let Some(known) = places.get(&series.text) {
                    mine[*known] += theirs[*place];
                } else {
                    self.push(name, series.clone());
                    mine.push(theirs[*place]);
                }
            }
        }
    }

    fn push(&mut self, name: &str, series: Series) {
        let place = self.series.len();
        match self.by_name.get_mut(name) {
            Some(places) => places.push(place),
            None => drop(self.by_name.insert(name.to_owned(), vec![place])),
        }
        self.series.push(series);
    }
}

impl Series {
    fn new(text: &str, labels: Labels) -> Self {
        let bound = labels.iter().find(|(key, _)| key == "le");
        let bound = bound.and_then(|(_, le)| parse_number(le));
        Self { text: text.into(), labels, bound }
    }
}

fn parse_line(line: &str) -> Option<Line<'_>> {
    let name_end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(name_end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => parse_labels(rest)?,
        None => (Vec::new(), rest),
    };
    let text = &line[..line.len() - rest.len()];
    Some(Line { text, name, labels, value: parse_value(rest)? })
}

/// A timestamp or an exemplar may follow the value.
fn parse_value(rest: &str) -> Option<f64> {
    parse_number(rest.split_whitespace().next()?)
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
