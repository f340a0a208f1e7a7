//! Studies: many simulations of one design, read once into a file that the reduced model works from.
//!
//! A folder of simulations (`*.vtkhdf`), or a list (TOML or JSON, [`listing`]). Parameters come from each run's record
//! (side-car JSON or attributes of the file's root group), or from a CSV table ([`table`]), which wins. A run that does
//! not belong is refused with its reason, and the rest goes on. Runs are read one after the other, two states at a
//! time, so a study may be larger than memory. What was read stands in a cache with the digests of the runs
//! ([`cache`]); a changed file makes the study be read anew.

mod belongs;
mod cache;
mod listing;
mod planned;
mod table;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::{Mesh, RefusedRun, Study, StudyRun};
use crate::suggest::{FieldError, Grams, StudyFields};

pub use self::planned::{PlannedRuns, read_planned_runs};

use self::belongs::Candidate;
use self::cache::{Cache, Stamp};
use super::error::IngestError;
use super::vtkhdf::{SimulationFile, SimulationOptions};

/// What to load and how.
#[derive(Debug, Clone, PartialEq)]
pub struct StudyRequest {
    /// A folder of simulations, or a list of them (`.toml`, `.json`).
    pub source: PathBuf,
    /// How to read the runs.
    pub options: SimulationOptions,
    /// A table of parameters (CSV): a column `run` with the runs' names, one column a parameter.
    pub table: Option<PathBuf>,
    /// Where the cache is; made when it is missing or old.
    pub cache: PathBuf,
}

/// How far the loading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StudyProgress {
    /// Runs that are done.
    pub done: usize,
    /// Runs that were found.
    pub total: usize,
}

/// Tries a file before it is opened here (in a process of its own, where the caller wants that).
pub type TryFile<'a> = dyn Fn(&Path) -> Result<(), IngestError> + Sync + 'a;

/// A loaded study: figures in memory, fields in the cache file.
#[derive(Debug)]
pub struct StudyFile {
    study: Study,
    mesh: Mesh,
    grams: Grams,
    cache: Cache,
    /// Whether the cache was made by this call.
    fresh: bool,
}

impl StudyFile {
    /// Loads the study, from the cache where that is still true.
    ///
    /// # Errors
    /// When the source cannot be read, fewer than [`Self::FEWEST_RUNS`] runs belong, the cache cannot be written, or
    /// `progress` says stop ([`std::io::ErrorKind::Interrupted`]).
    pub fn load(
        request: &StudyRequest,
        try_file: &TryFile<'_>,
        progress: &mut dyn FnMut(StudyProgress) -> ControlFlow<()>,
    ) -> Result<Self, IngestError> {
        let listed = listing::list_runs(&request.source)?;
        let table = request.table.as_deref().map(table::read_table).transpose()?;
        let stamps = listed.runs.iter().map(|run| Stamp::of_run(run, request)).collect::<Vec<_>>();
        if let Some((cache, study, grams)) = cache::open(&request.cache, &stamps)? {
            let first = study.runs.first().map_or_else(PathBuf::new, |r| PathBuf::from(&r.file));
            let mesh = SimulationFile::open(&first, &request.options)?.mesh().clone();
            return Ok(Self { study, mesh, grams, cache, fresh: false });
        }
        let total = listed.runs.len();
        let mut tell = |done| match progress(StudyProgress { done, total }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(stopped(&request.source)),
        };
        let (mut accepted, mut refused, mut kept_nodes) = (Vec::new(), Vec::new(), 0);
        for (index, run) in listed.runs.iter().enumerate() {
            tell(index / 2)?;
            match Candidate::open(run, request, table.as_ref(), try_file, &mut kept_nodes) {
                Ok(candidate) => accepted.push(candidate),
                Err(error) => {
                    refused.push(RefusedRun { name: run.name.clone(), reason: error.to_string() });
                }
            }
        }
        let chosen = belongs::choose(&request.source, accepted, &listed.bounds, &mut refused)?;
        if chosen.runs.len() < Self::FEWEST_RUNS {
            return Err(too_few(&request.source, &chosen.runs, &refused));
        }
        let runs = chosen.runs.iter().map(Candidate::study_run).collect::<Result<Vec<StudyRun>, _>>()?;
        let mesh = chosen.runs[0].mesh(&request.options)?;
        let mut ready = chosen.into_study(&mesh, runs, refused);
        let count = ready.candidates.len();
        let mut told = |run: usize| tell(total / 2 + (run + 1) * (total - total / 2) / count);
        let (cache, grams) = cache::write(request, &stamps, &mut ready, &mut told)?;
        Ok(Self { study: ready.study, mesh, grams, cache, fresh: true })
    }

    /// Fewest runs that a reduced model is made from.
    pub const FEWEST_RUNS: usize = 4;

    /// The study in figures.
    #[must_use]
    pub fn study(&self) -> &Study {
        &self.study
    }

    /// The mesh that all runs share (elements and parts).
    #[must_use]
    pub fn mesh(&self) -> &Mesh {
        &self.mesh
    }

    /// Inner products of the runs' fields.
    #[must_use]
    pub fn grams(&self) -> &Grams {
        &self.grams
    }

    /// Whether the runs were read by this call; false when the cache was still true.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }
}

impl StudyFields for StudyFile {
    fn study(&self) -> &Study {
        &self.study
    }

    fn grams(&self) -> &Grams {
        &self.grams
    }

    fn rest_mm(&self) -> Result<Arc<Vec<f32>>, FieldError> {
        Ok(self.cache.slab(None)?)
    }

    fn displacements_mm(&self, time: usize) -> Result<Arc<Vec<f32>>, FieldError> {
        Ok(self.cache.slab(Some(time))?)
    }
}

fn stopped(source: &Path) -> IngestError {
    IngestError::File {
        file: source.to_owned(),
        doing: "go on reading the study",
        source: std::io::Error::new(std::io::ErrorKind::Interrupted, "stopped"),
    }
}

fn too_few(source: &Path, runs: &[Candidate], refused: &[RefusedRun]) -> IngestError {
    let why: Vec<String> = refused.iter().map(|r| format!("\n  {}: {}", r.name, r.reason)).collect();
    IngestError::refused(
        source,
        "study",
        format_args!("{} runs that belong{}", runs.len(), why.concat()),
        format_args!("at least {}", StudyFile::FEWEST_RUNS),
        "compute more runs, or mend those that were refused",
    )
}
