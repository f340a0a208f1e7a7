//! One review against one study: from two folders to a suggestion and its receipt.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::mismatch::mismatch_mm;
use super::review_study::STUDY_RUN;
use super::suggest_error::SuggestJobError;
use crate::domain::{InputDigest, Review, Study, Suggestion};
use crate::export::{OutputFolder, SUGGESTION, SUGGESTION_JSON, write_next_runs, write_suggestion_json};
use crate::geom::{Camera, Skin};
use crate::ingest::{
    IngestError, PlannedRuns, ReviewFolder, SimulationFile, StudyFile, StudyProgress, StudyRequest, TestFile, TryFile,
    digest_sha256, read_planned_runs,
};
use crate::report::{SuggestionPlots, write_suggestion_report};
use crate::suggest::{
    FilmField, LeaveOneOut, Sight, SightCamera, SightInput, SuggestInput, Surrogate, leave_one_out_tests, suggest,
};

/// What to suggest from, and where to.
#[derive(Debug, Clone, PartialEq)]
pub struct SuggestRequest {
    /// Folder of the review.
    pub review: PathBuf,
    /// The study.
    pub study: StudyRequest,
    /// Folder of the suggestion.
    pub out: PathBuf,
    /// How many next runs are wanted.
    pub next_runs: usize,
    /// Table of runs that are being computed or have failed.
    pub planned: Option<PathBuf>,
    /// Whether to draw the report.
    pub report: bool,
    /// Whether each run shall play the test: how far suggestions from this study and these cameras can be trusted.
    pub leave_one_out: bool,
}

/// How far a suggestion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuggestProgress {
    /// Name of the stage.
    pub stage: &'static str,
    /// Steps done.
    pub done: usize,
    /// Steps in all; 0 where they are not counted.
    pub total: usize,
}

/// A finished suggestion.
#[derive(Debug)]
pub struct Suggested {
    /// The answer.
    pub suggestion: Suggestion,
    /// Where it was written.
    pub folder: PathBuf,
    /// The study.
    pub study: StudyFile,
    /// Its reduced model.
    pub surrogate: Surrogate,
    /// The runs that played the test, when they were asked to.
    pub left_out: Option<LeaveOneOut>,
}

/// Called with each step; says whether to go on.
pub type SuggestTold<'a> = dyn FnMut(SuggestProgress) -> ControlFlow<()> + 'a;

/// Suggests changes and writes their folder, whole or not at all.
///
/// # Errors
/// When an input is refused, the review lacks what is needed, the answer cannot be written, or `told` says stop.
pub fn suggest_change(
    request: &SuggestRequest,
    try_file: &TryFile<'_>,
    told: &mut SuggestTold<'_>,
) -> Result<Suggested, SuggestJobError> {
    let mut clock = Clock::new();
    let folder = OutputFolder::create_for(&request.out, SUGGESTION)?;
    step(told, "study")?;
    let study = StudyFile::load(&request.study, try_file, &mut |p: StudyProgress| {
        told(SuggestProgress { stage: "study", done: p.done, total: p.total })
    })?;
    clock.lap("study");
    step(told, "surrogate")?;
    let surrogate = Surrogate::fit(&study.study().shares(), study.grams());
    clock.lap("surrogate");
    step(told, "film")?;
    try_file(&request.review.join("review.vtkhdf"))?;
    let review = ReviewFolder::open(&request.review)?;
    check_mesh(&review, &study, request)?;
    let film = read_film(&review)?;
    let sight = project(&review, &study, &film)?;
    clock.lap("film");
    step(told, "estimate")?;
    let simulated = simulated_values(review.review(), study.study(), request)?;
    let planned = request.planned.as_deref().map(|p| read_planned_runs(p, study.study())).transpose()?;
    let PlannedRuns { pending, failed } = planned.unwrap_or_default();
    let mut suggestion = suggest(&SuggestInput {
        fields: &study,
        surrogate: &surrogate,
        sight: &sight,
        test_id: &review.review().test_id,
        flags: &review.review().flags,
        rest_mm: &film[0].simulated_mm,
        simulated: &simulated,
        tolerance_mm: review.review().tolerance.default_mm,
        next_runs: request.next_runs,
        pending: &pending,
        failed: &failed,
    })?;
    clock.lap("estimate");
    let left_out = if request.leave_one_out {
        step(told, "leave one out")?;
        let left_out = leave_one_out_tests(&sight, &study.study().shares());
        clock.lap("leave one out");
        Some(left_out)
    } else {
        None
    };
    suggestion.program_version = env!("CARGO_PKG_VERSION").into();
    suggestion.inputs = inputs(&review, &study)?;
    suggestion.reviewed_mm = mismatch_mm(&review)?;
    step(told, "write")?;
    if request.report {
        let plots = SuggestionPlots { suggestion: &suggestion, left_out: left_out.as_ref() };
        write_suggestion_report(folder.path(), &plots)?;
        clock.lap("report");
    }
    suggestion.timings = clock.laps;
    write_next_runs(folder.path(), &study.study().parameters, &suggestion.next_runs)?;
    write_suggestion_json(&folder.path().join(SUGGESTION_JSON), &suggestion)?;
    step(told, "write")?;
    let folder = folder.commit()?;
    Ok(Suggested { suggestion, folder, study, surrogate, left_out })
}

struct Clock {
    last: Instant,
    laps: Vec<(String, f64)>,
}

impl Clock {
    fn new() -> Self {
        Self { last: Instant::now(), laps: Vec::new() }
    }

    fn lap(&mut self, stage: &str) {
        let now = Instant::now();
        self.laps.push((stage.to_owned(), (now - self.last).as_secs_f64()));
        self.last = now;
    }
}

fn step(told: &mut SuggestTold<'_>, stage: &'static str) -> Result<(), SuggestJobError> {
    match told(SuggestProgress { stage, done: 0, total: 0 }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(SuggestJobError::Cancelled),
    }
}

fn check_mesh(review: &ReviewFolder, study: &StudyFile, request: &SuggestRequest) -> Result<(), SuggestJobError> {
    let (a, b) = (review.mesh(), study.mesh());
    if a.node_count == b.node_count && a.connectivity == b.connectivity {
        return Ok(());
    }
    Err(SuggestJobError::OtherMesh {
        review: request.review.clone(),
        study: request.study.source.clone(),
        found: [a.node_count, a.element_count()],
        expected: [b.node_count, b.element_count()],
    })
}

/// All moments of the film.
fn read_film(review: &ReviewFolder) -> Result<Vec<FilmField>, IngestError> {
    let by_study = review.review().inputs.iter().any(|i| i.role == STUDY_RUN);
    (0..review.times_s().len())
        .map(|moment| {
            let (simulated_mm, mut field) = review.read_moment(moment)?;
            if by_study {
                // What the study told the review is no evidence of the film.
                for (sigma, cameras) in field.sigma_mm.iter_mut().zip(&field.observed) {
                    *sigma = if *cameras > 0 { *sigma } else { f32::NAN };
                }
            }
            Ok(FilmField {
                time_s: field.time_s,
                simulated_mm,
                deviation_mm: field.deviation_mm,
                sigma_mm: field.sigma_mm,
            })
        })
        .collect()
}

fn project(review: &ReviewFolder, study: &StudyFile, film: &[FilmField]) -> Result<Sight, SuggestJobError> {
    let cameras = cameras(review.review())?;
    if film.len() < 2 {
        return Err(SuggestJobError::NoFilm { review: review.json().to_owned() });
    }
    let skin = Skin::from_mesh(review.mesh(), None);
    let clock = review.review().alignment.values().next();
    let input = SightInput {
        fields: study,
        skin: &skin,
        cameras: &cameras,
        film,
        time_offset_s: clock.map_or(0.0, |a| a.time_offset_s),
        time_offset_sigma_s: clock.map_or(0.0, |a| a.time_offset_sigma_s),
        impactor: review.review().impactor.as_ref(),
    };
    Sight::new(&input)
        .map_err(|source| SuggestJobError::Suggest { source: crate::suggest::SuggestError::Field { source } })
}

/// The cameras as the review placed them; a review of an earlier version does not hold the lenses, its film does.
fn cameras(review: &Review) -> Result<Vec<SightCamera>, SuggestJobError> {
    let from_film = || -> Result<_, SuggestJobError> {
        let path = review.inputs.iter().find(|i| i.role == "test").map(|i| PathBuf::from(&i.path));
        let path = path.ok_or(SuggestJobError::NoLens)?;
        let film = TestFile::open(&path)?;
        Ok(film.record().cameras.clone())
    };
    let records =
        if review.alignment.keys().all(|name| review.lenses.contains_key(name)) { Vec::new() } else { from_film()? };
    review
        .alignment
        .iter()
        .map(|(name, a)| {
            let camera = match (review.lenses.get(name), records.iter().find(|r| r.name == *name)) {
                (Some(lens), _) => Camera {
                    width: lens.width,
                    height: lens.height,
                    intrinsics: lens.intrinsics,
                    distortion: lens.distortion,
                    pose: a.pose,
                },
                (None, Some(record)) => Camera::from_record(record, a.pose),
                (None, None) => return Err(SuggestJobError::NoLens),
            };
            Ok(SightCamera { name: name.clone(), camera, pose_sigma: a.pose_sigma })
        })
        .collect()
}

/// Parameters of the reviewed simulation: those of the study's run with its bytes, else those of its own record.
fn simulated_values(review: &Review, study: &Study, request: &SuggestRequest) -> Result<Vec<f64>, SuggestJobError> {
    let simulation = review.inputs.iter().find(|i| i.role == "simulation");
    if let Some(run) = simulation.and_then(|s| study.runs.iter().find(|r| r.sha256 == s.sha256)) {
        return Ok(run.values.clone());
    }
    let path = simulation.map_or_else(PathBuf::new, |s| PathBuf::from(&s.path));
    let unknown = |reason: String| SuggestJobError::UnknownSimulation { simulation: path.clone(), reason };
    let file = SimulationFile::open(&path, &request.study.options).map_err(|e| unknown(e.to_string()))?;
    let values = study.parameters.iter().map(|p| {
        let own = file.record().parameters.iter().find(|q| q.name == p.name);
        own.map(|q| q.value).ok_or_else(|| unknown(format!("its record has no {}", p.name)))
    });
    values.collect()
}

fn inputs(review: &ReviewFolder, study: &StudyFile) -> Result<Vec<InputDigest>, IngestError> {
    let digest = |role: &str, path: &Path| -> Result<InputDigest, IngestError> {
        Ok(InputDigest { role: role.into(), path: path.display().to_string(), sha256: digest_sha256(path)? })
    };
    let mut all = vec![digest("review", review.json())?];
    all.extend(review.review().inputs.iter().cloned());
    all.extend(study.study().runs.iter().map(|run| InputDigest {
        role: "run".into(),
        path: run.file.clone(),
        sha256: run.sha256.clone(),
    }));
    Ok(all)
}
