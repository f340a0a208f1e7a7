//! `suggestion.json`, and the runs worth computing as CSV and JSON.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::folder::FolderKind;
use super::{ExportError, NEXT_RUNS_CSV, NEXT_RUNS_JSON, PLOTS_FOLDER, SUGGESTION_HTML, SUGGESTION_JSON};
use crate::domain::{NextRun, StudyParameter, Suggestion};

/// The folder of a suggestion.
pub const SUGGESTION: FolderKind = FolderKind {
    mark: SUGGESTION_JSON,
    own: &[SUGGESTION_JSON, SUGGESTION_HTML, NEXT_RUNS_CSV, NEXT_RUNS_JSON, PLOTS_FOLDER],
};

fn file_failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ExportError {
    let path = path.to_owned();
    move |source| ExportError::File { action, path, source }
}

fn json_failed(path: &Path) -> impl FnOnce(serde_json::Error) -> ExportError {
    let path = path.to_owned();
    move |source| ExportError::Json { path, source }
}

/// Writes `suggestion` to `path`, indented for people; numbers that are not finite become `null`.
///
/// # Errors
/// [`ExportError::File`] or [`ExportError::Json`].
pub fn write_suggestion_json(path: &Path, suggestion: &Suggestion) -> Result<(), ExportError> {
    let mut text = serde_json::to_vec_pretty(suggestion).map_err(json_failed(path))?;
    text.push(b'\n');
    fs::write(path, text).map_err(file_failed("write", path))
}

/// Reads a suggestion that was written before.
///
/// # Errors
/// [`ExportError::File`] when it cannot be read, [`ExportError::Json`] when it is none.
pub fn read_suggestion_json(path: &Path) -> Result<Suggestion, ExportError> {
    let text = fs::read(path).map_err(file_failed("read", path))?;
    serde_json::from_slice(&text).map_err(json_failed(path))
}

/// Writes `next_runs.csv` and `next_runs.json` into `folder`.
///
/// # Errors
/// [`ExportError::File`] or [`ExportError::Json`].
pub fn write_next_runs(folder: &Path, parameters: &[StudyParameter], runs: &[NextRun]) -> Result<(), ExportError> {
    let quoted = |name: &str| {
        if name.contains([',', '"']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.to_owned() }
    };
    let names: Vec<String> = parameters.iter().map(|p| quoted(&p.name)).collect();
    let mut csv = format!("run,{},variance_left\n", names.join(","));
    for run in runs {
        let values: Vec<String> = run.values.iter().map(ToString::to_string).collect();
        csv.push_str(&format!("{},{},{:.4}\n", run.name, values.join(","), run.variance_left));
    }
    let path = folder.join(NEXT_RUNS_CSV);
    fs::write(&path, csv).map_err(file_failed("write", &path))?;
    let rows: Vec<_> = runs
        .iter()
        .map(|run| {
            let list: Vec<_> = parameters
                .iter()
                .zip(&run.values)
                .map(|(p, v)| json!({"name": p.name, "value": v, "unit": p.unit}))
                .collect();
            json!({"run": run.name, "parameters": list, "variance_left": run.variance_left})
        })
        .collect();
    let path = folder.join(NEXT_RUNS_JSON);
    let text = serde_json::to_vec_pretty(&json!({"schema_version": 1, "runs": rows})).map_err(json_failed(&path))?;
    fs::write(&path, text).map_err(file_failed("write", &path))
}
