//! One test against one simulation: from two files to a folder of findings.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use ndarray::Array2;

use super::caveats::{caveats, notes};
use super::error::ReviewError;
use super::file_source::FileSource;
use super::outline_check::check_outline;
use super::review_study::{StudyToHear, hear, runs_heard};
use super::times_check::check_times;
use super::tolerances::ToleranceRequest;
use super::watched::{Stopped, Watch, Watched};
use crate::domain::{CameraLens, CameraRecord, InputDigest, Mesh, Review, SCHEMA_VERSION, StageTiming, Tolerances};
use crate::export::{
    ExtraArray, ExtraRows, FLAGS_CSV, OutputFolder, REVIEW_JSON, REVIEW_VTKHDF, Rows, write_flags_csv,
    write_review_json, write_review_vtkhdf,
};
use crate::geom::{Camera, Skin};
use crate::infer::ProviderRequest;
use crate::ingest::{IngestError, SimulationFile, SimulationOptions, TestFile, digest_sha256};
use crate::report::{PictureSource, ReportCamera, ReportInput, write_report};
use crate::review::{
    Judged, Measured, Progress, ReviewSetup, ReviewSource, SourceError, Striker, judge, measure_deviation,
};
use crate::vision::ResidualEstimator;

/// What is to measure the residual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EstimatorChoice {
    /// OpenCV's dense inverse search.
    Dis,
    /// A residual model run by ONNX Runtime.
    Onnx {
        /// The model file.
        model: PathBuf,
        /// Where it must run.
        provider: ProviderRequest,
    },
}

/// What to review and how.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewRequest {
    /// The simulation (VTKHDF).
    pub simulation: PathBuf,
    /// How to read it.
    pub simulation_options: SimulationOptions,
    /// The test record, or one of its further sources.
    pub test: PathBuf,
    /// Other designs of the simulation, where they shall tell what the film does not show.
    pub study: Option<StudyToHear>,
    /// Folder of the findings.
    pub out: PathBuf,
    /// How far off is too far.
    pub tolerances: ToleranceRequest,
    /// The mesh is only a part of what was filmed: its outline need not be seen in frame 0.
    pub partial_mesh: bool,
    /// Whether to draw the report.
    pub report: bool,
}

/// A finished review.
#[derive(Debug)]
pub struct Reviewed {
    /// The answer.
    pub review: Review,
    /// Where it was written.
    pub folder: PathBuf,
}

/// Called with each step, and again in between from any thread; says whether to go on.
pub type StageProgress<'a> = dyn Fn(Progress) -> ControlFlow<()> + Sync + 'a;

/// Reviews one test and writes its folder, whole or not at all.
///
/// `frames_per_s` of the answer counts the pictures of all cameras over the time from opening the files to the written
/// field, without the drawing of the report; `timings` has both.
///
/// # Errors
/// When an input is refused, cannot be compared, the findings cannot be written, or `progress` says stop; then nothing
/// is left behind.
pub fn review_test(
    request: &ReviewRequest,
    estimator: &dyn ResidualEstimator,
    progress: &StageProgress<'_>,
) -> Result<Reviewed, ReviewError> {
    review_test_showing(request, estimator, progress, &mut |_, _| {})
}

/// As [`review_test`]; before the folder appears, `show` gets the findings while mesh and fields are in memory.
///
/// # Errors
/// As [`review_test`].
pub fn review_test_showing(
    request: &ReviewRequest,
    estimator: &dyn ResidualEstimator,
    progress: &StageProgress<'_>,
    show: &mut dyn FnMut(&Findings<'_>, &Review),
) -> Result<Reviewed, ReviewError> {
    run(request, estimator, progress, show).map_err(ReviewError::or_cancelled)
}

/// What a review found, with what it is drawn from.
pub struct Findings<'a> {
    /// The mesh.
    pub mesh: &'a Mesh,
    /// Its skin.
    pub skin: &'a Skin,
    /// The cameras.
    pub cameras: &'a [CameraRecord],
    /// The field and what it rests on.
    pub measured: &'a Measured,
    /// The flag of each element at each moment, 0 for none.
    pub flag_ids: &'a [Vec<u32>],
    /// Film time to simulation time.
    pub offset_s: f64,
    /// First time of the simulation, s.
    pub begin_s: f64,
    /// Node positions at a simulation time, mm.
    pub simulated_mm: &'a dyn Fn(f64) -> Result<Vec<[f32; 3]>, ReviewError>,
    /// Plastic strain of each element at a simulation time; `None` when the simulation has none.
    pub strain: &'a dyn Fn(f64) -> Result<Option<Vec<f32>>, ReviewError>,
    /// Which elements have not eroded at a simulation time; `None` when the simulation does not tell.
    pub alive: &'a dyn Fn(f64) -> Result<Option<Vec<bool>>, ReviewError>,
}

impl Findings<'_> {
    /// Node positions of the simulation at moment `moment`, mm.
    ///
    /// # Errors
    /// When the simulation cannot be read.
    pub fn positions_mm(&self, moment: usize) -> Result<Vec<[f32; 3]>, ReviewError> {
        (self.simulated_mm)(self.measured.fields[moment].time_s + self.offset_s)
    }

    /// Node positions before the crash, mm.
    ///
    /// # Errors
    /// When the simulation cannot be read.
    pub fn undeformed_mm(&self) -> Result<Vec<[f32; 3]>, ReviewError> {
        (self.simulated_mm)(self.begin_s)
    }

    /// Plastic strain of each element at moment `moment`; `None` when the simulation has none.
    ///
    /// # Errors
    /// When the simulation cannot be read.
    pub fn plastic_strain(&self, moment: usize) -> Result<Option<Vec<f32>>, ReviewError> {
        (self.strain)(self.measured.fields[moment].time_s + self.offset_s)
    }

    /// Which elements have not eroded at moment `moment`; `None` when all are there.
    ///
    /// # Errors
    /// When the simulation cannot be read.
    pub fn alive(&self, moment: usize) -> Result<Option<Vec<bool>>, ReviewError> {
        let alive = (self.alive)(self.measured.fields[moment].time_s + self.offset_s)?;
        Ok(alive.filter(|alive| alive.contains(&false)))
    }
}

fn unreadable(source: SourceError) -> ReviewError {
    ReviewError::Export { source: crate::export::ExportError::Positions { frame: 0, source } }
}

/// A word on a simulation of several states that are all the same.
const STANDS_STILL: &str = "no node moves between the first, the middle and the last state of the simulation: the film was \
                            compared with a structure that stands still";

impl From<Stopped> for ReviewError {
    fn from(_: Stopped) -> Self {
        Self::Cancelled
    }
}

fn run(
    request: &ReviewRequest,
    estimator: &dyn ResidualEstimator,
    progress: &StageProgress<'_>,
    show: &mut dyn FnMut(&Findings<'_>, &Review),
) -> Result<Reviewed, ReviewError> {
    let watch = Watch::new(progress);
    let mut clock = StageClock::new();
    watch.begin("open")?;
    let simulation = SimulationFile::open(&request.simulation, &request.simulation_options)?;
    simulation.check_motion()?;
    simulation.check_living()?;
    let test = TestFile::open(&request.test)?;
    check_times(request, simulation.times_s(), &test.record().cameras)?;
    let tolerances = request.tolerances.resolve(simulation.mesh())?;
    let folder = OutputFolder::create(&request.out)?;
    let mut inputs = digests(request)?;
    let heard = request.study.as_ref().map(|s| hear(s, &request.simulation, &simulation, &watch)).transpose()?;
    let study = heard.as_ref().and_then(|h| h.as_ref().ok());
    inputs.extend(study.into_iter().flat_map(runs_heard));
    let files = FileSource::new(&simulation, &test);
    let files = match study {
        Some(study) => files.with_study(study),
        None => files,
    };
    let source = Watched { files: &files, watch: &watch };
    let skin = Skin::from_mesh(simulation.mesh(), None);
    let setup = ReviewSetup {
        skin: &skin,
        node_count: simulation.mesh().node_count,
        state_times_s: simulation.times_s(),
        cameras: &test.record().cameras,
        impactor: striker(&simulation),
        estimator,
    };
    let strange = if request.partial_mesh { Vec::new() } else { check_outline(request, &setup, &source)? };
    clock.lap("open");
    let compared =
        |source| ReviewError::Session { test: request.test.clone(), simulation: request.simulation.clone(), source };
    let measured = measure_deviation(&setup, &source, &mut |p| watch.report(p)).map_err(compared)?;
    clock.lap("measure");
    watch.begin("judge")?;
    let judged = judge(simulation.mesh(), &setup, &source, &measured, &tolerances).map_err(compared)?;
    clock.lap("judge");
    watch.begin("write")?;
    let shown = Shown::new(&source, &measured, simulation.times_s()[0]);
    write_field(&folder, simulation.mesh(), &shown, &judged)?;
    clock.lap("write");
    let (flag_ids, doubted) = (judged.flag_ids.clone(), judged.doubted.clone());
    let mut review = assemble(tolerances, test.record().test_id.clone(), &setup, &measured, judged, inputs);
    review.warnings = strange;
    review.warnings.extend(caveats(&simulation, &setup, &measured, &review, &doubted));
    if simulation.stands_still()? {
        review.warnings.push(STANDS_STILL.into());
    }
    review.warnings.extend(heard.iter().filter_map(|h| h.as_ref().err().cloned()));
    review.notes = notes(&measured, &review);
    review.notes.extend(eroded(&files, &shown)?);
    review.frames_per_s = review.frames_reviewed as f64 / clock.total_s();
    review.timings.clone_from(&clock.laps);
    if request.report {
        watch.begin("report")?;
        let cameras = report_cameras(&setup, &measured);
        let mesh = simulation.mesh();
        let (review, fields) = (&review, measured.fields.as_slice());
        let input = ReportInput { review, mesh, skin: &skin, fields, flag_ids: &flag_ids, cameras, source: &shown };
        write_report(folder.path(), &input)?;
        clock.lap("report");
    }
    show(
        &Findings {
            mesh: simulation.mesh(),
            skin: &skin,
            cameras: setup.cameras,
            measured: &measured,
            flag_ids: &flag_ids,
            offset_s: shown.offset_s,
            begin_s: shown.begin_s,
            simulated_mm: &|at| source.simulated_mm(at).map_err(unreadable),
            strain: &|at| Ok(files.plastic_strain(at)?),
            alive: &|at| files.alive(at).map_err(unreadable),
        },
        &review,
    );
    review.timings = clock.laps;
    write_flags_csv(&folder.path().join(FLAGS_CSV), &review)?;
    write_review_json(&folder.path().join(REVIEW_JSON), &review)?;
    watch.begin("write")?;
    let folder = folder.commit()?;
    Ok(Reviewed { review, folder })
}

/// A word on elements that erode while the film runs.
fn eroded(files: &FileSource<'_>, shown: &Shown<'_>) -> Result<Option<String>, ReviewError> {
    let last = shown.simulation_time_s(shown.measured.fields.len() - 1);
    let alive = files.alive(last).map_err(unreadable)?.unwrap_or_default();
    let gone = alive.iter().filter(|alive| !**alive).count();
    Ok((gone > 0).then(|| {
        format!(
            "{gone} of {} elements have eroded in the simulation by the end of the film: nothing is predicted or said of them \
             from then on",
            alive.len()
        )
    }))
}

/// Wall clock of the stages.
struct StageClock {
    begun: Instant,
    last: Instant,
    laps: Vec<StageTiming>,
}

impl StageClock {
    fn new() -> Self {
        let now = Instant::now();
        Self { begun: now, last: now, laps: Vec::new() }
    }

    fn lap(&mut self, stage: &str) {
        let now = Instant::now();
        self.laps.push(StageTiming { stage: stage.into(), seconds: (now - self.last).as_secs_f64() });
        self.last = now;
    }

    fn total_s(&self) -> f64 {
        self.begun.elapsed().as_secs_f64().max(1e-9)
    }
}

/// What hits the structure, where the simulation tells of it.
pub(super) fn striker(simulation: &SimulationFile) -> Option<Striker<'_>> {
    simulation.impactor().map(Striker::Cylinder).or_else(|| simulation.wall().map(Striker::Wall))
}

fn digests(request: &ReviewRequest) -> Result<Vec<InputDigest>, IngestError> {
    [("simulation", &request.simulation), ("test", &request.test)]
        .into_iter()
        .map(|(role, path)| {
            Ok(InputDigest { role: role.into(), path: path.display().to_string(), sha256: digest_sha256(path)? })
        })
        .collect()
}

/// What the outputs show: the simulation at the times of the fields, pictures as filmed.
struct Shown<'a> {
    source: &'a Watched<'a>,
    measured: &'a Measured,
    offset_s: f64,
    begin_s: f64,
}

impl<'a> Shown<'a> {
    fn new(source: &'a Watched<'a>, measured: &'a Measured, begin_s: f64) -> Self {
        // All cameras of a test share one trigger.
        let offset_s = measured.alignment.first().map_or(0.0, |a| a.time_offset_s);
        Self { source, measured, offset_s, begin_s }
    }

    fn simulation_time_s(&self, field: usize) -> f64 {
        self.measured.fields[field].time_s + self.offset_s
    }
}

impl PictureSource for Shown<'_> {
    fn picture(&self, camera: usize, frame: usize) -> Result<Array2<f32>, SourceError> {
        self.source.picture(camera, frame)
    }

    fn positions_mm(&self, field: usize) -> Result<Vec<[f32; 3]>, SourceError> {
        self.source.simulated_mm(self.simulation_time_s(field))
    }

    fn undeformed_mm(&self) -> Result<Vec<[f32; 3]>, SourceError> {
        self.source.simulated_mm(self.begin_s)
    }
}

/// Writes `review.vtkhdf`, with the simulation's plastic strain where it has one.
fn write_field(folder: &OutputFolder, mesh: &Mesh, shown: &Shown<'_>, judged: &Judged) -> Result<(), ReviewError> {
    let fields = &shown.measured.fields;
    let strain: Option<Vec<Vec<f32>>> = (0..fields.len())
        .map(|i| shown.source.files.plastic_strain(shown.simulation_time_s(i)))
        .collect::<Result<_, _>>()?;
    let extra: Vec<ExtraArray<'_>> = strain
        .iter()
        .map(|rows| ExtraArray { name: "PlasticStrain", rows: Rows::Elements, values: ExtraRows::ByFrame(rows) })
        .collect();
    let path = folder.path().join(REVIEW_VTKHDF);
    write_review_vtkhdf(&path, mesh, |i| shown.positions_mm(i), fields, &judged.flag_ids, &extra)?;
    Ok(())
}

fn report_cameras<'a>(setup: &ReviewSetup<'a>, measured: &Measured) -> Vec<ReportCamera<'a>> {
    let cameras = setup.cameras.iter().zip(&measured.alignment).enumerate();
    cameras
        .map(|(index, (record, alignment))| {
            let mut field_of_frame = vec![None; record.times_s.len()];
            for (field, moment) in measured.moments.iter().enumerate() {
                for (_, frame) in moment.frames.iter().filter(|(camera, _)| *camera == index) {
                    field_of_frame[*frame] = Some(field);
                }
            }
            ReportCamera {
                name: &record.name,
                camera: Camera::from_record(record, alignment.pose),
                times_s: &record.times_s,
                field_of_frame,
                targets: &record.targets,
            }
        })
        .collect()
}

/// The answer, still without its warnings, its notes and its clock.
fn assemble(
    tolerance: Tolerances,
    test_id: String,
    setup: &ReviewSetup<'_>,
    measured: &Measured,
    judged: Judged,
    inputs: Vec<InputDigest>,
) -> Review {
    let alignment: BTreeMap<_, _> =
        setup.cameras.iter().zip(&measured.alignment).map(|(c, a)| (c.name.clone(), a.clone())).collect();
    let lens = |c: &CameraRecord| CameraLens {
        width: c.width,
        height: c.height,
        intrinsics: c.intrinsics,
        distortion: c.distortion,
    };
    Review {
        schema_version: SCHEMA_VERSION,
        program_version: env!("CARGO_PKG_VERSION").into(),
        test_id,
        inputs,
        models: vec![setup.estimator.digest()],
        execution_provider: setup.estimator.provider(),
        alignment,
        lenses: setup.cameras.iter().map(|c| (c.name.clone(), lens(c))).collect(),
        tolerance,
        noise_floor: judged.noise_floor,
        impactor: measured.impactor.clone(),
        parts: judged.parts,
        flags: judged.flags,
        frames_reviewed: measured.moments.iter().map(|m| m.frames.len()).sum(),
        frames_per_s: 0.0,
        timings: Vec::new(),
        warnings: Vec::new(),
        notes: Vec::new(),
    }
}
