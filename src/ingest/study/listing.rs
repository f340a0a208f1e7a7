//! Which simulations a study consists of: a folder of `*.vtkhdf`, or a list.
//!
//! ```toml
//! [[parameters]]            # optional: bounds where the runs do not tell them
//! name = "thickness"
//! lower = 1.2
//! upper = 1.8
//! unit = "mm"
//!
//! [[runs]]
//! file = "run_000.vtkhdf"   # relative to the list
//! parameters = { thickness = 1.5 }   # optional where the run's own record has them
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::ingest::error::{IngestError, cannot};
use crate::ingest::limits::{self, MAX_SIDECAR_BYTES};

/// A run as the study names it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ListedRun {
    /// File name without its ending.
    pub(super) name: String,
    /// The simulation.
    pub(super) path: PathBuf,
    /// Parameters that the list gives.
    pub(super) values: BTreeMap<String, f64>,
}

/// Bounds that a list gives.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListedBounds {
    pub(super) name: String,
    #[serde(default)]
    pub(super) unit: Option<String>,
    pub(super) lower: f64,
    pub(super) upper: f64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Listed {
    pub(super) runs: Vec<ListedRun>,
    pub(super) bounds: Vec<ListedBounds>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListFile {
    #[serde(default)]
    parameters: Vec<ListedBounds>,
    runs: Vec<ListEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListEntry {
    file: PathBuf,
    #[serde(default)]
    parameters: BTreeMap<String, f64>,
}

/// The runs of the study at `source`, by name.
///
/// # Errors
/// A folder without simulations, a list that cannot be understood, bounds that are none.
pub(super) fn list_runs(source: &Path) -> Result<Listed, IngestError> {
    let mut listed = if source.is_dir() { list_folder(source)? } else { read_list(source)? };
    listed.runs.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.path.cmp(&b.path)));
    if listed.runs.is_empty() {
        let advice = "name a folder that holds the study's runs, or a TOML or JSON list of them";
        return Err(IngestError::refused(source, "study", "no simulation", "files that end in .vtkhdf", advice));
    }
    for b in &listed.bounds {
        if !(b.lower.is_finite() && b.upper.is_finite() && b.lower < b.upper) {
            return Err(IngestError::refused(
                source,
                format_args!("parameters, {}", b.name),
                format_args!("bounds {} and {}", b.lower, b.upper),
                "a lower bound below the upper one",
                "mend the list",
            ));
        }
    }
    Ok(listed)
}

fn name_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn list_folder(folder: &Path) -> Result<Listed, IngestError> {
    let entries = std::fs::read_dir(folder)
        .and_then(|list| list.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>())
        .map_err(cannot(folder, "list the study"))?;
    let runs = entries
        .into_iter()
        .filter(|p| p.is_file() && p.extension().is_some_and(|e| e == "vtkhdf"))
        .map(|path| ListedRun { name: name_of(&path), path, values: BTreeMap::new() })
        .collect();
    Ok(Listed { runs, bounds: Vec::new() })
}

fn read_list(path: &Path) -> Result<Listed, IngestError> {
    let size = std::fs::metadata(path).map_err(cannot(path, "open the study"))?.len();
    if size > MAX_SIDECAR_BYTES {
        let most = format!("at most {}", limits::bytes(MAX_SIDECAR_BYTES));
        return Err(IngestError::refused(path, "file", limits::bytes(size), most, "give a list, not a result"));
    }
    let text = std::fs::read_to_string(path).map_err(cannot(path, "read the study"))?;
    let wrong = |found: String| {
        let expected = "a list with [[runs]] and file = NAME in each";
        IngestError::refused(path, "study", found, expected, "see `crumple suggest --help` and the README")
    };
    let list: ListFile = if path.extension().is_some_and(|e| e == "json") {
        serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?
    } else {
        toml::from_str(&text).map_err(|e| wrong(e.to_string()))?
    };
    let base = path.parent().unwrap_or(Path::new(""));
    let runs = list
        .runs
        .into_iter()
        .map(|entry| ListedRun { name: name_of(&entry.file), path: base.join(&entry.file), values: entry.parameters })
        .collect();
    Ok(Listed { runs, bounds: list.parameters })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_files_beside_itself_and_wrong_bounds_are_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("study.toml");
        let list = |bounds: &str| {
            format!("[[parameters]]\nname=\"t\"\n{bounds}\n[[runs]]\nfile=\"b/run_1.vtkhdf\"\nparameters={{t=1.5}}\n")
        };
        std::fs::write(&path, list("lower=1.0\nupper=2.0")).expect("write");
        let listed = list_runs(&path).expect("a list");
        assert_eq!((listed.runs[0].name.as_str(), listed.runs[0].values["t"]), ("run_1", 1.5));
        assert_eq!(listed.runs[0].path, dir.path().join("b/run_1.vtkhdf"));
        std::fs::write(&path, list("lower=2.0\nupper=2.0")).expect("write");
        assert!(list_runs(&path).expect_err("no range").to_string().contains("bounds 2 and 2"));
        assert!(list_runs(dir.path()).expect_err("empty").is_input_error());
    }
}
