//! Parameters from a CSV table: a column `run` with the runs' names, one column a parameter.
//!
//! Commas or semicolons; with semicolons a comma may be the decimal sign. Quoted cells may hold the separator.

use std::collections::BTreeMap;
use std::path::Path;

use crate::ingest::error::{IngestError, cannot};

/// Parameters by run and name; a cell that is empty is missing.
pub(super) type ParameterTable = BTreeMap<String, BTreeMap<String, f64>>;

/// Reads the table at `path`.
///
/// # Errors
/// A table without `run`, a row of another length, a cell that is no number, a run that stands twice.
pub(super) fn read_table(path: &Path) -> Result<ParameterTable, IngestError> {
    let text = std::fs::read_to_string(path).map_err(cannot(path, "read the table of parameters"))?;
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
    let advice = "write one line a run, with the run's file name (without its ending) in the column run";
    let refuse =
        |place: String, found: String, expected: &str| IngestError::refused(path, place, found, expected, advice);
    let Some((_, head)) = lines.next() else {
        return Err(refuse("file".into(), "nothing".into(), "a table with a heading"));
    };
    let separator = if head.contains(';') { ';' } else { ',' };
    let names = cells(head, separator);
    let Some(run_column) = names.iter().position(|n| n.eq_ignore_ascii_case("run")) else {
        return Err(refuse("line 1".into(), names.join(", "), "a column named run"));
    };
    let mut table = ParameterTable::new();
    for (index, line) in lines {
        let place = format!("line {}", index + 1);
        let row = cells(line, separator);
        if row.len() != names.len() {
            return Err(refuse(place, format!("{} cells", row.len()), &format!("{} as in the heading", names.len())));
        }
        let mut values = BTreeMap::new();
        for (name, cell) in names.iter().zip(&row).enumerate().filter(|(c, _)| *c != run_column).map(|(_, x)| x) {
            if cell.is_empty() {
                continue;
            }
            let number = if separator == ';' { cell.replace(',', ".") } else { cell.clone() };
            match number.parse::<f64>() {
                Ok(value) if value.is_finite() => values.insert(name.clone(), value),
                _ => return Err(refuse(format!("{place}, column {name}"), format!("{cell:?}"), "a finite number")),
            };
        }
        let run = row[run_column].trim_end_matches(".vtkhdf").to_owned();
        if table.insert(run.clone(), values).is_some() {
            return Err(refuse(place, format!("the run {run} a second time"), "each run once"));
        }
    }
    Ok(table)
}

pub(super) fn cells(line: &str, separator: char) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c == separator && !quoted => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    cells.push(cell);
    cells.into_iter().map(|c| c.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ParameterTable, IngestError> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("parameters.csv");
        std::fs::write(&path, text).expect("write");
        read_table(&path)
    }

    #[test]
    fn tables_of_both_kinds_are_read_and_errors_name_line_and_column() {
        let table = read("run,thickness,\"yield, scale\"\nrun_001,1.5,\nrun_002.vtkhdf,1.25,0.9\n").expect("a table");
        assert_eq!(table["run_002"]["yield, scale"], 0.9);
        assert!(!table["run_001"].contains_key("yield, scale"), "an empty cell is missing, not 0");
        assert_eq!(read("\u{feff}run;v\na;1,5\n").expect("a table")["a"]["v"], 1.5);
        for (text, words) in [
            ("name,v\na,1\n", "a column named run"),
            ("run,v\na,fast\n", "line 2, column v"),
            ("run,v\na,1\na,2\n", "a second time"),
            ("run,v\na,1,2\n", "3 cells"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.to_string().contains(words) && error.is_input_error(), "{error}");
        }
    }
}
