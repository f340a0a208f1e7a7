//! Runs that are being computed or have failed: what the next batch must know.
//!
//! CSV with the columns `run`, `state` (`pending` or `failed`; missing means pending) and the study's parameters; the
//! table of an earlier batch (`next_runs.csv`) is one.

use std::path::Path;

use super::table::cells;
use crate::domain::Study;
use crate::ingest::error::{IngestError, cannot};

/// Values in the study's order and units.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlannedRuns {
    /// Being computed.
    pub pending: Vec<Vec<f64>>,
    /// Failed.
    pub failed: Vec<Vec<f64>>,
}

/// Reads the table at `path`.
///
/// # Errors
/// A missing column, a state that is none, a cell that is no number.
pub fn read_planned_runs(path: &Path, study: &Study) -> Result<PlannedRuns, IngestError> {
    let text = std::fs::read_to_string(path).map_err(cannot(path, "read the table of planned runs"))?;
    let advice = "give a table like next_runs.csv, with a column state where runs have failed";
    let refuse =
        |place: String, found: String, expected: String| IngestError::refused(path, place, found, expected, advice);
    let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
    let Some((_, head)) = lines.next() else { return Ok(PlannedRuns::default()) };
    let separator = if head.contains(';') { ';' } else { ',' };
    let names = cells(head, separator);
    let column = |name: &str| names.iter().position(|n| n == name);
    let mut wanted = Vec::new();
    for p in &study.parameters {
        let index = column(&p.name);
        wanted.push(index.ok_or_else(|| refuse("line 1".into(), names.join(", "), format!("a column {}", p.name)))?);
    }
    let state = column("state");
    let mut planned = PlannedRuns::default();
    for (index, line) in lines {
        let place = format!("line {}", index + 1);
        let row = cells(line, separator);
        let mut values = Vec::new();
        for at in &wanted {
            let cell = row.get(*at).map_or("", String::as_str);
            let cell = if separator == ';' { cell.replace(',', ".") } else { cell.to_owned() };
            let value = cell.parse::<f64>().ok().filter(|v| v.is_finite());
            let wrong =
                || refuse(format!("{place}, column {}", names[*at]), format!("{cell:?}"), "a finite number".into());
            values.push(value.ok_or_else(wrong)?);
        }
        match state.and_then(|at| row.get(at)).map_or("pending", String::as_str) {
            "" | "pending" => planned.pending.push(values),
            "failed" => planned.failed.push(values),
            other => return Err(refuse(place, format!("the state {other:?}"), "pending or failed".into())),
        }
    }
    Ok(planned)
}
