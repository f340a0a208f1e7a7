//! One test against one simulation, from the first picture to the measured field.

use std::ops::ControlFlow;

use nalgebra::Vector3;
use ndarray::Array2;
use rayon::prelude::*;

use super::align::AlignError;
use super::begin::{Begun, Film, offset_of, quiet_moments};
use super::impactor::Striker;
use super::live::{FilmWatch, WholeFilm};
use super::measure::CameraTrack;
use super::record::{nodes_in_view, record_step};
use super::seen_by::SeenBy;
use super::timeline::{Moment, moments};
use super::track::{StepPicture, TrackError};
use super::trigger::TriggerFit;
use crate::domain::{CameraAlignment, CameraRecord, FrameField, SeenImpactor};
use crate::geom::Skin;
use crate::vision::{ResidualEstimator, VisionError, canvas_picture};

/// An error of whoever supplies states and pictures.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Where states and pictures come from; asked again for what is needed again, so that nothing is kept whole.
pub trait ReviewSource: Sync {
    /// Node positions at a simulation time in s, mm; held before the first and after the last state.
    ///
    /// # Errors
    /// When the simulation cannot be read.
    fn simulated_mm(&self, simulation_time_s: f64) -> Result<Vec<[f32; 3]>, SourceError>;
    /// Which elements are still there at a simulation time in s; `None` where none ever erodes.
    ///
    /// # Errors
    /// When the simulation cannot be read.
    fn alive(&self, simulation_time_s: f64) -> Result<Option<Vec<bool>>, SourceError> {
        let _ = simulation_time_s;
        Ok(None)
    }
    /// A camera's frame as the lens drew it, 0 to 1.
    ///
    /// # Errors
    /// When the film cannot be read.
    fn picture(&self, camera: usize, frame: usize) -> Result<Array2<f32>, SourceError>;
    /// How far each run of a study has the nodes at a simulation time in s from where the simulation has them, both
    /// counted from their own undeformed shape, mm; empty where there is no study.
    ///
    /// # Errors
    /// When the study cannot be read.
    fn designs_mm(&self, simulation_time_s: f64) -> Result<Vec<Vec<[f32; 3]>>, SourceError> {
        let _ = simulation_time_s;
        Ok(Vec::new())
    }
}

/// What is compared.
#[derive(Clone, Copy)]
pub struct ReviewSetup<'a> {
    /// The skin of the mesh.
    pub skin: &'a Skin,
    /// How many nodes a state has.
    pub node_count: usize,
    /// Times of the simulation's states, s.
    pub state_times_s: &'a [f64],
    /// The cameras.
    pub cameras: &'a [CameraRecord],
    /// The rigid body that hits the structure, when the simulation tells of one.
    pub impactor: Option<Striker<'a>>,
    /// What measures.
    pub estimator: &'a dyn ResidualEstimator,
}

/// A review that could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A camera that cannot be placed.
    #[error(transparent)]
    Align(#[from] AlignError),
    /// Tracking failed.
    #[error(transparent)]
    Track(#[from] TrackError),
    /// A picture could not be worked on.
    #[error("a picture could not be worked on")]
    Vision(#[from] VisionError),
    /// States or pictures could not be read.
    #[error("could not read what is reviewed")]
    Source(#[source] SourceError),
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl SessionError {
    /// True when the input is at fault, not the program or the machine.
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        matches!(
            self,
            Self::Align(
                AlignError::NoPose { .. }
                    | AlignError::TargetsDisagree { .. }
                    | AlignError::OutlineDisagrees { .. }
                    | AlignError::LooksAway { .. }
                    | AlignError::TargetsOutside { .. }
                    | AlignError::Behind { .. }
            )
        )
    }
}

/// How far a review is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// What is being done.
    pub stage: &'static str,
    /// Pictures done.
    pub done: usize,
    /// Pictures in all.
    pub total: usize,
}

/// The measured field and what it rests on.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The moments of the film.
    pub moments: Vec<Moment>,
    /// One alignment a camera.
    pub alignment: Vec<CameraAlignment>,
    /// What the trigger fit said; `None` when nothing moves.
    pub trigger: Option<TriggerFit>,
    /// One field a moment.
    pub fields: Vec<FrameField>,
    /// Length of every visible node's estimated deviation, mm, one vector a moment: what the judgement rests on. Unlike
    /// `fields` it holds estimates of any sigma, since a large deviation is one even when it is not known to the mm.
    pub size_mm: Vec<Vec<f32>>,
    /// Sigma of the deviation along its own direction, mm, beside `size_mm`; NaN where no camera should see the node.
    pub along_sigma_mm: Vec<Vec<f32>>,
    /// Nodes that a camera should see, one vector a moment.
    pub in_view: Vec<Vec<bool>>,
    /// The cameras that measured each node, by moment: more than one should see may be hidden from them.
    pub seen_by: Vec<SeenBy>,
    /// Lengths of the believed residuals, px, one vector a moment.
    pub residuals_px: Vec<Vec<f32>>,
    /// Area of each triangle of the skin before the test, mm².
    pub undeformed_areas_mm2: Vec<f64>,
    /// Moments before the first motion.
    pub quiet: Vec<bool>,
    /// Whether a study told of what the film does not show, by moment.
    pub by_study: Vec<bool>,
    /// The simulation's impactor as far as it was followed in the film; `None` when it was not found there.
    pub impactor: Option<SeenImpactor>,
}

/// Measures the deviation of the test from the simulation at every moment of the film.
///
/// # Errors
/// When a camera cannot be placed, an input cannot be read, or `progress` asks to stop.
pub fn measure_deviation(
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Measured, SessionError> {
    measure_deviation_watched(setup, source, progress, &mut WholeFilm)
}

/// As [`measure_deviation`], for a film that is still arriving: `watch` chooses the moments and sees each one measured.
/// When the impactor shows itself only after some moments were measured without it, these are measured again.
///
/// # Errors
/// As [`measure_deviation`].
pub fn measure_deviation_watched(
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    watch: &mut dyn FilmWatch,
) -> Result<Measured, SessionError> {
    let undeformed = source.simulated_mm(setup.state_times_s[0]).map_err(SessionError::Source)?;
    let moments = moments(setup.cameras);
    let film = Film { setup, source, undeformed: &undeformed, moments: &moments };
    let mut decided = Vec::new();
    loop {
        if let Some(measured) = film.measure(progress, watch, &mut decided)? {
            return Ok(measured);
        }
    }
}

impl Film<'_, '_> {
    /// Measures the film from its first moment on; `None` when the impactor came into view after moments were measured
    /// without it. `decided` says of each moment that was come to whether it was measured or left out; what is decided
    /// already is not asked again.
    fn measure(
        &self,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
        watch: &mut dyn FilmWatch,
        decided: &mut Vec<bool>,
    ) -> Result<Option<Measured>, SessionError> {
        let (setup, source) = (self.setup, self.source);
        let total: usize = self.moments.iter().map(|m| m.frames.len()).sum();
        let mut report = |stage, done| match progress(Progress { stage, done, total }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(SessionError::Cancelled),
        };
        let Begun { alignment, trigger, mut search, mut tracked, mut tracker } = self.begin(&mut report, watch)?;
        let (offset_s, offset_sigma_s) = offset_of(trigger);
        let quiet = quiet_moments(source, self.moments, self.undeformed, offset_s, &alignment)?;
        let mut measured = Measured {
            quiet,
            moments: self.moments.to_vec(),
            alignment,
            trigger,
            fields: Vec::new(),
            size_mm: Vec::new(),
            along_sigma_mm: Vec::new(),
            in_view: Vec::new(),
            seen_by: Vec::new(),
            residuals_px: Vec::new(),
            by_study: Vec::new(),
            impactor: None,
            undeformed_areas_mm2: setup.skin.areas_mm2(self.undeformed),
        };
        let mut done = 0;
        for (index, moment) in self.moments.iter().enumerate() {
            report("measure", done)?;
            let before = decided.get(index).copied();
            // What was tracked for the trigger is there already.
            let left_out = tracked.len() == 0 && before.map_or_else(|| watch.skips(moment), |measured| !measured);
            if left_out {
                if before.is_none() {
                    decided.push(false);
                }
                let place = measured.fields.len();
                measured.moments.remove(place);
                measured.quiet.remove(place);
                continue;
            }
            if search.finds_it_now(self, tracker.cameras(), offset_s, watch.arrived())? {
                return Ok(None);
            }
            if before.is_none() {
                decided.push(true);
            }
            let simulated = source.simulated_mm(moment.time_s + offset_s).map_err(SessionError::Source)?;
            tracker.erode(source, moment.time_s + offset_s).map_err(SessionError::Source)?;
            let step = match tracked.next() {
                Some(step) => step,
                None => {
                    let mut pictures = load_pictures(source, tracker.cameras(), moment)?;
                    let mut contacts = Vec::new();
                    if let Some(impactor) = &mut search.found {
                        impactor.follow_to(source, self.moments, tracker.cameras(), index)?;
                        for p in &mut pictures {
                            p.hidden = impactor.hides(index, &tracker.cameras()[p.camera]);
                        }
                        let expected = tracker.expected_mm(&simulated);
                        contacts = impactor.contacts(self.moments, index, offset_s, &simulated, &expected);
                    }
                    tracker.hear(source, moment.time_s + offset_s, &simulated).map_err(SessionError::Source)?;
                    tracker.advance(moment.time_s, &simulated, &pictures, &contacts, setup.estimator)?
                }
            };
            let speed = speed_mm_per_s(source, moment.time_s + offset_s)?;
            let seen = nodes_in_view(tracker.skin(), tracker.cameras(), &step.positions_mm(&simulated));
            record_step(
                &mut measured,
                moment.time_s,
                &step,
                &seen,
                &simulated,
                &speed,
                offset_sigma_s,
                tracker.cameras(),
            );
            measured.impactor = search.found.as_ref().map(|impactor| impactor.seen(self.moments, offset_s));
            done += moment.frames.len();
            watch.measured(&measured, before.is_some());
        }
        report("measure", done)?;
        Ok(Some(measured))
    }
}

pub(super) fn load_pictures(
    source: &dyn ReviewSource,
    tracks: &[CameraTrack],
    moment: &Moment,
) -> Result<Vec<StepPicture>, SessionError> {
    moment
        .frames
        .par_iter()
        .map(|(camera, frame)| {
            let track = &tracks[*camera];
            let picture = track.tone.apply(&source.picture(*camera, *frame).map_err(SessionError::Source)?);
            Ok(StepPicture { camera: *camera, picture: canvas_picture(&track.view, &picture)?, hidden: None })
        })
        .collect()
}

/// A point as a vector, mm.
pub(super) fn vector(p: [f32; 3]) -> Vector3<f64> {
    Vector3::from(p.map(f64::from))
}

/// Velocity of every node in the simulation, mm/s: what an error of the clock costs.
fn speed_mm_per_s(source: &dyn ReviewSource, time_s: f64) -> Result<Vec<Vector3<f64>>, SessionError> {
    const HALF_S: f64 = 2.5e-4;
    let a = source.simulated_mm(time_s - HALF_S).map_err(SessionError::Source)?;
    let b = source.simulated_mm(time_s + HALF_S).map_err(SessionError::Source)?;
    Ok(a.iter().zip(&b).map(|(a, b)| (vector(*b) - vector(*a)) / (2.0 * HALF_S)).collect())
}
