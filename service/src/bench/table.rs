//! A table for people: names to the left, numbers to the right.

use std::fmt::Write as _;

/// Rows under a header.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    /// Columns that stand to the left.
    left: Vec<usize>,
}

impl Table {
    /// Only the header so far; the first column stands to the left.
    pub(crate) fn new(header: &[&str]) -> Self {
        Self { rows: vec![header.iter().map(|&cell| cell.to_owned()).collect()], left: vec![0] }
    }

    /// With these columns to the left.
    pub(crate) fn left(self, columns: &[usize]) -> Self {
        Self { left: columns.to_vec(), ..self }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines, each with its end.
    pub(crate) fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = widths[column];
                let gap = if column == 0 { "" } else { "  " };
                let written = if self.left.contains(&column) {
                    write!(line, "{gap}{cell:width$}")
                } else {
                    write!(line, "{gap}{cell:>width$}")
                };
                written.expect("writing to a String can't fail");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// A count with its thousands apart.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right() {
        let mut table = Table::new(&["stage", "rows"]);
        table.row(vec!["ingest".into(), grouped(1_234_567)]);
        table.row(vec!["x".into(), grouped(100)]);
        expect_test::expect![[r#"
            stage        rows
            ingest  1,234,567
            x             100
        "#]]
        .assert_eq(&table.text());
    }
}
