//! Differences and spreads as tables for a terminal and for a pull request (they are Markdown).
//!
//! Never here: what is a difference (`compare`).

use super::compare::{Difference, Place, Spread};
use crate::report::lines::put;
use crate::report::units::count;

/// What went from what to what; nothing where nothing did.
pub(super) fn differences(all: &[Difference]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["what", "was", "is", "change", "a turn", "allowed"]);
    for Difference { place, from, to, turns, tolerance } in all {
        let change = i128::from(*to) - i128::from(*from);
        let by_turn = match turns {
            0 => String::new(),
            turns => format!("{:+.2}", change as f64 / *turns as f64),
        };
        table.row(vec![
            name(place),
            count(*from),
            count(*to),
            format!("{change:+}"),
            by_turn,
            tolerance.words(),
        ]);
    }
    table.text()
}

/// How far apart the counts of several runs were.
pub(super) fn spread(all: &[Spread], times: u32) -> String {
    let mut table = Table::new(&["what", "least", "most", "apart", "allowed"]);
    for spread in all {
        let Spread { place, least, most, tolerance } = spread;
        let mut cells = vec![name(place), count(*least), count(*most)];
        cells.push(format!("{:.2} %", spread.share() * 100.0));
        let beyond = if spread.is_within() { "" } else { " BEYOND" };
        cells.push(format!("{}{beyond}", tolerance.words()));
        table.row(cells);
    }
    let mut out = table.text();
    let beyond = all.iter().filter(|spread| !spread.is_within()).count();
    put(
        &mut out,
        &format!("{times} runs of the same build: {beyond} counts beyond what is allowed"),
    );
    out
}

fn name(place: &Place) -> String {
    let Place { phase, who, what, statement } = place;
    let of = if statement.is_empty() { String::new() } else { format!(" of {statement}") };
    format!("{phase}: {who} {what}{of}")
}

struct Table(Vec<Vec<String>>);

impl Table {
    fn new(columns: &[&str]) -> Self {
        Self(vec![columns.iter().map(|&column| column.to_owned()).collect()])
    }

    fn row(&mut self, cells: Vec<String>) {
        self.0.push(cells);
    }

    fn text(&self) -> String {
        let wide = |column: usize| {
            let cells = self.0.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.0[0].len()).map(wide).collect();
        let mut out = String::new();
        for (n, row) in self.0.iter().enumerate() {
            let cells = row.iter().zip(&widths).enumerate().map(|(i, (cell, &width))| {
                if i == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            put(&mut out, &format!("| {} |", cells.collect::<Vec<_>>().join(" | ")));
            if n == 0 {
                let rules = widths.iter().enumerate().map(|(i, &width)| {
                    if i == 0 { "-".repeat(width) } else { "-".repeat(width - 1) + ":" }
                });
                put(&mut out, &format!("| {} |", rules.collect::<Vec<_>>().join(" | ")));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::super::compare::tests::changed;
    use super::super::compare::{compare, spread as apart};
    use super::super::document::tests::document;
    use super::*;

    #[test]
    fn differences_read_like_this() {
        assert_eq!(differences(&[]), "");
        expect_file!["../../testdata/counts.txt"]
            .assert_eq(&differences(&compare(&document(), &changed())));
    }

    #[test]
    fn a_spread_reads_like_this() {
        expect_file!["../../testdata/counts-spread.txt"]
            .assert_eq(&spread(&apart(&[document(), changed()]), 2));
    }
}
