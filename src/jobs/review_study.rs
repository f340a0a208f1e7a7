//! The study that a review hears: other designs of the simulation, which know what the film does not show.

use std::ops::ControlFlow;
use std::path::Path;

use super::error::ReviewError;
use super::watched::Watch;
use crate::domain::InputDigest;
use crate::ingest::{IngestError, SimulationFile, StudyFile, StudyProgress, StudyRequest};
use crate::review::Progress;

/// A study for a review to hear.
#[derive(Debug, Clone, PartialEq)]
pub struct StudyToHear {
    /// What to load. Files that come from outside are best loaded once before, where each can be tried in a process of its
    /// own: then the cache holds them.
    pub request: StudyRequest,
    /// Whether the user named it. One that merely was found is left out, with a warning, where it does not fit.
    pub named: bool,
    /// Whether the files lie in folders of a service: then no message tells of these.
    pub in_our_folders: bool,
}

/// The study, or why the one that was found is left out.
///
/// # Errors
/// When the study that the user named cannot be loaded or has another mesh, or the caller says stop.
pub(super) fn hear(
    study: &StudyToHear,
    file: &Path,
    simulation: &SimulationFile,
    watch: &Watch<'_>,
) -> Result<Result<StudyFile, String>, ReviewError> {
    let request = &study.request;
    match load_study(request, file, simulation, watch) {
        Err(error) if !study.named => {
            watch.check()?;
            let told = error.to_string();
            let told = if study.in_our_folders { without_folders(&told, &request.source, file) } else { told };
            Ok(Err(format!("the study that was found for this simulation is left out: {told}")))
        }
        loaded => Ok(Ok(loaded?)),
    }
}

/// `told` with the names of files alone, and none for the study itself.
fn without_folders(told: &str, study: &Path, simulation: &Path) -> String {
    let mut told = told.replace(&format!("{}/", study.display()), "").replace(&*study.to_string_lossy(), "its folder");
    if let Some(folder) = simulation.parent() {
        told = told.replace(&format!("{}/", folder.display()), "");
    }
    told
}

/// Loads the study, from its cache where that is still true, and holds it against the simulation.
///
/// # Errors
/// When the study cannot be loaded, has another mesh, or the caller says stop.
fn load_study(
    request: &StudyRequest,
    file: &Path,
    simulation: &SimulationFile,
    watch: &Watch<'_>,
) -> Result<StudyFile, ReviewError> {
    // Whoever asks has tried the files, where they come from outside.
    let tried = |_: &_| Ok::<(), IngestError>(());
    let mut told = |p: StudyProgress| -> ControlFlow<()> {
        watch.report(Progress { stage: "study", done: p.done, total: p.total })
    };
    let study = StudyFile::load(request, &tried, &mut told)?;
    let (a, b) = (simulation.mesh(), study.mesh());
    if a.node_count == b.node_count && a.connectivity == b.connectivity {
        return Ok(study);
    }
    Err(ReviewError::OtherStudy {
        simulation: file.to_owned(),
        study: request.source.clone(),
        found: [b.node_count, b.element_count()],
        expected: [a.node_count, a.element_count()],
    })
}

/// The runs that were heard, as inputs of the review.
pub(super) fn runs_heard(study: &StudyFile) -> impl Iterator<Item = InputDigest> {
    let runs = &crate::suggest::StudyFields::study(study).runs;
    runs.iter().map(|run| InputDigest { role: STUDY_RUN.into(), path: run.file.clone(), sha256: run.sha256.clone() })
}

/// Role of a study's run among a review's inputs.
pub(super) const STUDY_RUN: &str = "study run";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_a_service_does_without_its_folders() {
        let told = "/data/studies/7/run_2.vtkhdf does not belong to /data/work/3/box.vtkhdf, expected a mesh as in /data/studies/7";
        let shown = without_folders(told, Path::new("/data/studies/7"), Path::new("/data/work/3/box.vtkhdf"));
        assert_eq!(shown, "run_2.vtkhdf does not belong to box.vtkhdf, expected a mesh as in its folder");
    }
}
