//! One test against one simulation: from two files to a folder of findings.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use crate::domain::{InputDigest, Mesh, Review, SCHEMA_VERSION, StageTiming, Tolerances};
use crate::export::{
    ExportError, FLAGS_CSV, OutputFolder, REVIEW_JSON, REVIEW_VTKHDF, write_flags_csv, write_review_json,
    write_review_vtkhdf,
};
use crate::geom::Skin;
use crate::ingest::{IngestError, SimulationFile, SimulationOptions, TestFile, digest_sha256};
use crate::review::{Judged, Measured, Progress, ReviewSetup, ReviewSource, SessionError, judge, measure_deviation};
use crate::vision::ResidualEstimator;

use super::file_source::FileSource;

/// What to review and how.
#[derive(Debug, Clone)]
pub struct ReviewRequest {
    /// The simulation (VTKHDF).
    pub simulation: PathBuf,
    /// How to read it.
    pub simulation_options: SimulationOptions,
    /// The test record.
    pub test: PathBuf,
    /// Folder of the findings.
    pub out: PathBuf,
    /// How far off is too far.
    pub tolerances: Tolerances,
}

/// A finished review.
#[derive(Debug)]
pub struct Reviewed {
    /// The answer.
    pub review: Review,
    /// Where it was written.
    pub folder: PathBuf,
}

/// A review that could not be finished; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// An input cannot be read.
    #[error("could not read the input")]
    Ingest(#[from] IngestError),
    /// The test cannot be compared with the simulation.
    #[error("could not compare the test with the simulation")]
    Session(#[from] SessionError),
    /// The findings cannot be written.
    #[error("could not write the findings")]
    Export(#[from] ExportError),
    /// A tolerance names a part that the mesh does not have.
    #[error("the tolerance file names part {part}, but the simulation has only the parts {known}: correct the file")]
    UnknownPart {
        /// What was named.
        part: String,
        /// What there is.
        known: String,
    },
}

impl ReviewError {
    /// True when the input is at fault, not the program or the machine.
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        match self {
            Self::Ingest(e) => e.is_input_error(),
            Self::Session(SessionError::Source(e)) => {
                e.downcast_ref::<IngestError>().is_some_and(IngestError::is_input_error)
            }
            Self::Session(e) => e.is_input_error(),
            Self::Export(e) => e.is_input_error(),
            Self::UnknownPart { .. } => true,
        }
    }

    /// True when the caller asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Session(SessionError::Cancelled))
    }
}

/// Called with each step; says whether to go on.
pub type StageProgress<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// Reviews one test and writes its folder, whole or not at all.
///
/// # Errors
/// When an input is refused, cannot be compared, or the findings cannot be written.
pub fn review_test(
    request: &ReviewRequest,
    estimator: &dyn ResidualEstimator,
    progress: &mut StageProgress<'_>,
) -> Result<Reviewed, ReviewError> {
    let begun = Instant::now();
    let mut clock = StageClock::default();
    let simulation = SimulationFile::open(&request.simulation, &request.simulation_options)?;
    let test = TestFile::open(&request.test)?;
    let mesh = simulation.mesh();
    check_tolerances(mesh, &request.tolerances)?;
    let folder = OutputFolder::create(&request.out)?;
    let source = FileSource::new(&simulation, &test);
    let skin = Skin::from_mesh(mesh, None);
    let setup = ReviewSetup {
        skin: &skin,
        node_count: mesh.node_count,
        state_times_s: simulation.times_s(),
        cameras: &test.record().cameras,
        estimator,
    };
    clock.lap("open");
    let measured = measure_deviation(&setup, &source, progress)?;
    clock.lap("measure");
    let judged = judge(mesh, &setup, &source, &measured, &request.tolerances)?;
    clock.lap("judge");
    let inputs = vec![
        InputDigest {
            role: "simulation".into(),
            path: request.simulation.display().to_string(),
            sha256: digest_sha256(&request.simulation)?,
        },
        InputDigest {
            role: "test".into(),
            path: request.test.display().to_string(),
            sha256: digest_sha256(&request.test)?,
        },
    ];
    clock.lap("digest");
    let offset_s = measured.alignment.first().map_or(0.0, |a| a.time_offset_s);
    write_review_vtkhdf(
        &folder.path().join(REVIEW_VTKHDF),
        mesh,
        |i| source.simulated_mm(measured.fields[i].time_s + offset_s),
        &measured.fields,
        &judged.flag_ids,
        &[],
    )?;
    clock.lap("write");
    let mut review = assemble(request, &test, &setup, &measured, judged, inputs);
    review.frames_per_s = review.frames_reviewed as f64 / begun.elapsed().as_secs_f64();
    review.timings = clock.laps;
    write_review_json(&folder.path().join(REVIEW_JSON), &review)?;
    write_flags_csv(&folder.path().join(FLAGS_CSV), &review)?;
    let folder = folder.commit()?;
    Ok(Reviewed { review, folder })
}

/// Wall clock of the stages.
struct StageClock {
    last: Instant,
    laps: Vec<StageTiming>,
}

impl Default for StageClock {
    fn default() -> Self {
        Self { last: Instant::now(), laps: Vec::new() }
    }
}

impl StageClock {
    fn lap(&mut self, stage: &str) {
        let now = Instant::now();
        self.laps.push(StageTiming { stage: stage.into(), seconds: (now - self.last).as_secs_f64() });
        self.last = now;
    }
}

fn check_tolerances(mesh: &Mesh, tolerances: &Tolerances) -> Result<(), ReviewError> {
    for id in tolerances.per_part_mm.keys() {
        if !mesh.parts.iter().any(|p| p.id == *id) {
            let known: Vec<String> = mesh.parts.iter().map(|p| format!("{} ({})", p.id, p.name)).collect();
            return Err(ReviewError::UnknownPart { part: id.to_string(), known: known.join(", ") });
        }
    }
    Ok(())
}

fn assemble(
    request: &ReviewRequest,
    test: &TestFile,
    setup: &ReviewSetup<'_>,
    measured: &Measured,
    judged: Judged,
    inputs: Vec<InputDigest>,
) -> Review {
    let alignment: BTreeMap<_, _> =
        setup.cameras.iter().zip(&measured.alignment).map(|(c, a)| (c.name.clone(), a.clone())).collect();
    Review {
        schema_version: SCHEMA_VERSION,
        program_version: env!("CARGO_PKG_VERSION").into(),
        test_id: test.record().test_id.clone(),
        inputs,
        models: vec![setup.estimator.digest()],
        execution_provider: setup.estimator.provider(),
        alignment,
        tolerance: request.tolerances.clone(),
        noise_floor: judged.noise_floor,
        parts: judged.parts,
        flags: judged.flags,
        frames_reviewed: measured.moments.iter().map(|m| m.frames.len()).sum(),
        frames_per_s: 0.0,
        timings: Vec::new(),
        warnings: Vec::new(),
    }
}
