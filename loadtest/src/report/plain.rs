//! A report as text for a terminal: facts, checks, tables, the verdict last, where people look.
//! Charts stay in the page.
//!
//! Never here: a number that isn't in the sheet.

use super::lines::put;
use super::sheet::{Block, Check, Mark, Outcome, Sheet, Table, unshown};

/// Between two columns.
const GAP: &str = "  ";

/// The whole text.
#[must_use]
pub fn render(sheet: &Sheet) -> String {
    let mut out = String::new();
    put(&mut out, &sheet.title);
    out.push('\n');
    for (name, value) in &sheet.facts {
        put(&mut out, &format!("{name:<11} {value}"));
    }
    for section in &sheet.sections {
        let shown = |block: &&Block| matches!(block, Block::Text(_) | Block::Table(_));
        if !section.blocks.iter().any(|block| shown(&block)) {
            continue;
        }
        put(&mut out, &format!("\n{}", section.title));
        for block in section.blocks.iter().filter(shown) {
            match block {
                Block::Text(text) => put(&mut out, text),
                Block::Table(table) => self::table(&mut out, table),
                Block::Chart(_) | Block::Waterfall(_) => {}
            }
        }
    }
    checks(&mut out, sheet);
    out.push('\n');
    for (i, reason) in sheet.reasons.iter().enumerate() {
        let word = if i == 0 { sheet.verdict.as_str() } else { "" };
        put(&mut out, &format!("{word:<11} {reason}"));
    }
    if sheet.reasons.is_empty() {
        put(&mut out, &sheet.verdict);
    }
    out
}

fn checks(out: &mut String, sheet: &Sheet) {
    let (checks, others) = sheet.shown_checks();
    if checks.is_empty() && others == 0 {
        return;
    }
    put(out, "\nChecks");
    for Check { group, name, outcome, detail, examples } in checks {
        let word = match outcome {
            Outcome::Passed => "ok",
            Outcome::Failed => "FAILED",
            Outcome::Invalid => "?",
            Outcome::Skipped => "-",
        };
        put(out, &format!("{word:<7} {group}: {name}{GAP}{detail}"));
        for example in examples {
            put(out, &format!("{:<10}{example}", ""));
        }
    }
    if others > 0 {
        put(out, &unshown(others));
    }
}

fn table(out: &mut String, table: &Table) {
    let name = |cell: &str, mark| match mark {
        Mark::Sub => format!("  {cell}"),
        Mark::None | Mark::Bad => cell.to_owned(),
    };
    let rows: Vec<Vec<String>> = table
        .rows
        .iter()
        .map(|row| {
            let mut cells = row.cells.clone();
            if let Some(first) = cells.first_mut() {
                *first = name(first, row.mark);
            }
            cells
        })
        .collect();
    let all = || std::iter::once(&table.columns).chain(&rows);
    let width = |column: usize| {
        all().filter_map(|cells| cells.get(column)).map(|c| c.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
    let marks = std::iter::once(Mark::None).chain(table.rows.iter().map(|row| row.mark));
    for (cells, mark) in all().zip(marks) {
        let padded = cells.iter().zip(&widths).enumerate().map(|(i, (cell, &width))| {
            if i == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        let bad = if mark == Mark::Bad { "  !" } else { "" };
        put(out, &format!("{}{bad}", padded.collect::<Vec<_>>().join(GAP)));
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::super::sheet;
    use super::*;

    #[test]
    fn a_sheet_reads_like_this() {
        expect_file!["../../testdata/sheet.txt"].assert_eq(&render(&sheet::sample()));
    }

    #[test]
    fn of_too_many_checks_those_that_tell_something_are_shown() {
        let text = render(&sheet::crowded());
        assert!(text.contains("FAILED  objectives: <write>") && !text.contains("kind 7"), "{text}");
        assert!(text.contains("\n62 others passed, or were not judged\n"), "{text}");
    }
}
