//! A plain table for the terminal: columns as wide as their widest cell.

use std::fmt;

/// Which side a column's cells lean to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// Rows of text under headings.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(columns: &[(&str, Align)]) -> Self {
        Self { columns: columns.iter().map(|(name, align)| ((*name).to_owned(), *align)).collect(), rows: Vec::new() }
    }

    pub(super) fn push<const N: usize>(&mut self, row: [String; N]) {
        self.rows.push(row.into());
    }
}

/// Names come from files: a control character would move the cursor or change the terminal's colours.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        let rows: Vec<Vec<String>> =
            std::iter::once(&head).chain(&self.rows).map(|r| r.iter().map(|c| plain(c)).collect()).collect();
        let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        for row in &rows {
            let mut line = String::new();
            for ((cell, width), (_, align)) in row.iter().zip(&widths).zip(&self.columns) {
                match align {
                    Align::Left => line.push_str(&format!("{cell:<width$}  ")),
                    Align::Right => line.push_str(&format!("{cell:>width$}  ")),
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_control_characters_do_not_get_through() {
        let mut table = Table::new(&[("part", Align::Left), ("mm", Align::Right)]);
        table.push(["b\u{e4}lk\u{1b}[2J".to_owned(), "5.0".to_owned()]);
        table.push(["x".to_owned(), "12.5".to_owned()]);
        assert_eq!(table.to_string(), "part        mm\nb\u{e4}lk\u{fffd}[2J   5.0\nx         12.5\n");
    }
}
