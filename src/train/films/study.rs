//! The runs that films are made of, by family, and which of them may be seen when.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::settings::{FilmSettings, Region};
use crate::geom::Skin;
use crate::ingest::{SimulationFile, SimulationOptions};
use crate::train::error::TrainError;

/// Which pairs a sample may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// Filmed runs outside of the held-out region, of families that are trained on.
    Train,
    /// Filmed runs inside of the held-out region, of the same families: no training sample films them.
    Region,
    /// Families that no training sample comes from.
    Family,
}

impl std::fmt::Display for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Region => "region",
            Self::Family => "family",
        })
    }
}

/// A run, open: its states stay in its file.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) name: String,
    pub(super) file: SimulationFile,
    in_region: bool,
}

/// Runs of one topology.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: String,
    pub(super) runs: Vec<Run>,
    pub(super) skin: Skin,
    held_out: bool,
}

/// Opens the simulations of `folders` (or single files) and sorts them into families.
pub(super) fn open_families(folders: &[PathBuf], settings: &FilmSettings) -> Result<Vec<Family>, TrainError> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for folder in folders {
        for path in simulations_in(folder)? {
            let file = SimulationFile::open(&path, &SimulationOptions::default())?;
            let name = family_name(&path, &file);
            let in_region = settings.held_out_region.as_ref().is_some_and(|r| is_in(r, &file));
            let run = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
            let family = families.entry(name.clone()).or_insert_with(|| Family {
                skin: Skin::from_mesh(file.mesh(), None),
                held_out: settings.held_out_families.contains(&name),
                name,
                runs: Vec::new(),
            });
            if let Some(first) = family.runs.first() {
                let (a, b) = (first.file.mesh(), file.mesh());
                if a.node_count != b.node_count || a.connectivity != b.connectivity {
                    return Err(TrainError::OtherTopology {
                        path,
                        family: family.name.clone(),
                        first: first.name.clone(),
                    });
                }
            }
            family.runs.push(Run { name: run, file, in_region });
        }
    }
    Ok(families.into_values().collect())
}

fn simulations_in(folder: &Path) -> Result<Vec<PathBuf>, TrainError> {
    if folder.is_file() {
        return Ok(vec![folder.to_owned()]);
    }
    let failed = |source| TrainError::Data { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|e| e == "vtkhdf") {
            found.push(path);
        }
    }
    // The order of a folder's entries is the file system's; ours is by name.
    found.sort();
    if found.is_empty() {
        return Err(TrainError::NoSimulations { path: folder.to_owned() });
    }
    Ok(found)
}

fn family_name(path: &Path, file: &SimulationFile) -> String {
    let folder = || path.parent().and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned());
    file.record().family.clone().or_else(folder).unwrap_or_else(|| "unnamed".to_owned())
}

fn is_in(region: &Region, file: &SimulationFile) -> bool {
    file.record().parameters.iter().filter(|p| p.name == region.parameter).any(|p| {
        let (Some(low), Some(high)) = (p.lower, p.upper) else { return false };
        (region.from..=region.to).contains(&((p.value - low) / (high - low)))
    })
}

impl Family {
    /// Pairs (predicting, filmed) of run indices that `split` allows. A run may be filmed against itself.
    pub(super) fn pairs(&self, split: Split) -> Vec<[usize; 2]> {
        let all = 0..self.runs.len();
        let wanted = |a: &Run, b: &Run| match split {
            Split::Train => !self.held_out && !a.in_region && !b.in_region,
            Split::Region => !self.held_out && !a.in_region && b.in_region,
            Split::Family => self.held_out,
        };
        all.clone()
            .flat_map(|a| all.clone().map(move |b| [a, b]))
            .filter(|[a, b]| wanted(&self.runs[*a], &self.runs[*b]))
            .collect()
    }
}
