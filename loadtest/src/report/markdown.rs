//! A report as Markdown, as it is posted on a pull request: the verdict and what decided it first,
//! the tables folded. Charts stay in the page.
//!
//! Never here: a number that isn't in the sheet.

use super::lines::put;
use super::sheet::{Block, Check, Mark, Outcome, Section, Sheet, Table, unshown};

/// The whole text.
#[must_use]
pub fn render(sheet: &Sheet) -> String {
    let mut out = String::new();
    put(&mut out, &format!("### {}: {}", escaped(&sheet.title), escaped(&sheet.verdict)));
    if !sheet.reasons.is_empty() {
        out.push('\n');
    }
    for reason in &sheet.reasons {
        put(&mut out, &format!("- {}", escaped(reason)));
    }
    checks(&mut out, sheet);
    facts(&mut out, &sheet.facts);
    for section in &sheet.sections {
        self::section(&mut out, section);
    }
    if !sheet.foot.is_empty() {
        put(&mut out, &format!("\n{}", escaped(&sheet.foot)));
    }
    out
}

fn checks(out: &mut String, sheet: &Sheet) {
    let (checks, others) = sheet.shown_checks();
    if !checks.is_empty() {
        put(out, "\n| | check | | |\n|---|---|---|---|");
    }
    for Check { group, name, outcome, detail, examples } in checks {
        let sign = match outcome {
            Outcome::Passed => "✅",
            Outcome::Failed => "❌",
            Outcome::Invalid => "❓",
            Outcome::Skipped => "➖",
        };
        let detail: Vec<String> =
            std::iter::once(detail).chain(examples).map(|t| escaped(t)).collect();
        let detail = detail.join("<br>");
        let (group, name) = (escaped(group), escaped(name));
        put(out, &format!("| {sign} | {group}: {name} | {} | {detail} |", outcome.name()));
    }
    if others > 0 {
        put(out, &format!("\n{}", unshown(others)));
    }
}

fn facts(out: &mut String, facts: &[(String, String)]) {
    if facts.is_empty() {
        return;
    }
    put(out, "\n<details><summary>What was run</summary>\n\n| | |\n|---|---|");
    for (name, value) in facts {
        put(out, &format!("| {} | {} |", escaped(name), escaped(value)));
    }
    put(out, "\n</details>");
}

fn section(out: &mut String, section: &Section) {
    // Charts alone would be a heading over nothing.
    let shown = |block: &&Block| matches!(block, Block::Text(_) | Block::Table(_));
    let blocks: Vec<&Block> = section.blocks.iter().filter(shown).collect();
    if blocks.is_empty() {
        return;
    }
    put(out, &format!("\n<details><summary>{}</summary>", escaped(&section.title)));
    if !section.note.is_empty() {
        put(out, &format!("\n{}", escaped(&section.note)));
    }
    for block in blocks {
        match block {
            Block::Text(text) => put(out, &format!("\n{}", escaped(text))),
            Block::Table(table) => self::table(out, table),
            Block::Chart(_) | Block::Waterfall(_) => {}
        }
    }
    put(out, "\n</details>");
}

fn table(out: &mut String, table: &Table) {
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let columns = table.columns.iter().map(|name| escaped(name));
    put(out, &format!("\n{}", line(columns.collect())));
    let rules = std::iter::once("---").chain(std::iter::repeat("---:"));
    put(out, &line(rules.take(table.columns.len()).map(str::to_owned).collect()));
    for row in &table.rows {
        let mut cells: Vec<String> = row.cells.iter().map(|cell| escaped(cell)).collect();
        if let (Some(first), mark) = (cells.first_mut(), row.mark) {
            match mark {
                Mark::None => {}
                Mark::Sub => first.insert_str(0, "&emsp;"),
                Mark::Bad => first.insert_str(0, "❌ "),
            }
        }
        put(out, &line(cells));
    }
}

/// Text that Markdown shows as it is (CommonMark 0.31, section 2.4: any ASCII punctuation may be
/// escaped), on one line.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' | '@' => {
                out.push('\\');
                out.push(c);
            }
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::super::sheet;
    use super::*;

    #[test]
    fn a_sheet_reads_like_this() {
        expect_file!["../../testdata/sheet.md"].assert_eq(&render(&sheet::sample()));
    }

    #[test]
    fn of_too_many_checks_those_that_tell_something_are_shown() {
        let text = render(&sheet::crowded());
        assert!(text.contains(r"| ❌ | objectives: \<write\> |") && !text.contains("kind 7"));
        assert!(text.contains("\n\n62 others passed, or were not judged\n"), "{text}");
    }

    #[test]
    fn text_from_outside_stays_text() {
        assert_eq!(escaped("<script>|`a`\n@b"), r"\<script\>\|\`a\` \@b");
    }
}
