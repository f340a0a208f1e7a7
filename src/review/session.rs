//! One test against one simulation, from the first picture to the measured field.

use std::ops::ControlFlow;

use nalgebra::{Matrix3, Vector3};
use ndarray::{Array2, Zip};
use rayon::prelude::*;

use super::align::{AlignError, align_camera};
use super::foreign::{both, trusted_at_rest};
use super::impactor::trusted_beside_impactor;
use super::measure::CameraTrack;
use super::timeline::{Moment, moments};
use super::track::{StepPicture, TrackError, TrackedStep, Tracker};
use super::trigger::{EarlyStep, LARGEST_OFFSET_S, NodeHistory, TriggerFit, fit_trigger};
use crate::domain::{CameraAlignment, CameraRecord, FrameField};
use crate::geom::{Camera, NO_TRIANGLE, PinholeView, Raster, Skin, rasterise};
use crate::vision::{Appearance, ResidualEstimator, Tone, VisionError, canvas_picture};

/// An error of whoever supplies states and pictures.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Where states and pictures come from; asked again for what is needed again, so that nothing is kept whole.
pub trait ReviewSource: Sync {
    /// Node positions at a simulation time in s, mm; held before the first and after the last state.
    ///
    /// # Errors
    /// When the simulation cannot be read.
    fn simulated_mm(&self, simulation_time_s: f64) -> Result<Vec<[f32; 3]>, SourceError>;
    /// A camera's frame as the lens drew it, 0 to 1.
    ///
    /// # Errors
    /// When the film cannot be read.
    fn picture(&self, camera: usize, frame: usize) -> Result<Array2<f32>, SourceError>;
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
    /// Lengths of the believed residuals, px, one vector a moment.
    pub residuals_px: Vec<Vec<f32>>,
    /// Area of each triangle of the skin before the test, mm².
    pub undeformed_areas_mm2: Vec<f64>,
    /// Moments before the first motion.
    pub quiet: Vec<bool>,
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
    let undeformed = source.simulated_mm(setup.state_times_s[0]).map_err(SessionError::Source)?;
    let moments = moments(setup.cameras);
    let total: usize = moments.iter().map(|m| m.frames.len()).sum();
    let mut report = |stage, done| match progress(Progress { stage, done, total }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(SessionError::Cancelled),
    };
    report("align", 0)?;
    let (mut alignment, mut tracks) = align_all(setup, source, &undeformed)?;
    report("trigger", 0)?;
    let mut trigger = find_trigger(setup, source, &undeformed, &moments, &tracks)?;
    let offset_of = |t: Option<TriggerFit>| t.map_or((0.0, 0.0), |t| (t.offset_s, t.sigma_s));
    let quiet = quiet_moments(source, &moments, &undeformed, offset_of(trigger).0, &alignment)?;
    let moved = distrust_what_moves(setup, source, &moments, &quiet, &mut tracks)?;
    if distrust_impactor(setup, source, &moments, &quiet, &mut tracks)? || moved {
        report("trigger", 0)?;
        trigger = find_trigger(setup, source, &undeformed, &moments, &tracks)?;
    }
    let (offset_s, offset_sigma_s) = offset_of(trigger);
    for a in &mut alignment {
        (a.time_offset_s, a.time_offset_sigma_s) = (offset_s, offset_sigma_s);
    }
    let mut measured = Measured {
        quiet: quiet_moments(source, &moments, &undeformed, offset_s, &alignment)?,
        moments,
        alignment,
        trigger,
        fields: Vec::new(),
        size_mm: Vec::new(),
        along_sigma_mm: Vec::new(),
        in_view: Vec::new(),
        residuals_px: Vec::new(),
        undeformed_areas_mm2: setup.skin.areas_mm2(&undeformed),
    };
    let mut tracker = Tracker::new(setup.skin, setup.node_count, tracks);
    let mut done = 0;
    for moment in measured.moments.clone() {
        report("measure", done)?;
        let simulated = source.simulated_mm(moment.time_s + offset_s).map_err(SessionError::Source)?;
        let pictures = load_pictures(source, tracker.cameras(), &moment)?;
        let step = tracker.advance(&simulated, &pictures, setup.estimator)?;
        let speed = speed_mm_per_s(source, moment.time_s + offset_s)?;
        let seen = nodes_in_view(setup, tracker.cameras(), &simulated, &step.deviation_mm);
        record_step(&mut measured, moment.time_s, &step, &seen, &simulated, &speed, offset_sigma_s, tracker.cameras());
        done += moment.frames.len();
    }
    report("measure", done)?;
    Ok(measured)
}

fn align_all(
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    undeformed: &[[f32; 3]],
) -> Result<(Vec<CameraAlignment>, Vec<CameraTrack>), SessionError> {
    let both: Vec<(CameraAlignment, CameraTrack)> = setup
        .cameras
        .par_iter()
        .enumerate()
        .map(|(index, record)| {
            let picture = source.picture(index, 0).map_err(SessionError::Source)?;
            let tone = Tone::from_picture(&picture);
            let picture = tone.apply(&picture);
            let alignment = align_camera(record, setup.skin, undeformed, &picture)?;
            let view = PinholeView::new(Camera::from_record(record, alignment.pose));
            let picture = canvas_picture(&view, &picture)?;
            let first = Appearance::new(&view.camera, setup.skin, undeformed.to_vec(), picture);
            Ok((alignment, CameraTrack { view, tone, first, last: None }))
        })
        .collect::<Result<_, SessionError>>()?;
    Ok(both.into_iter().unzip())
}

fn load_pictures(
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
            Ok(StepPicture { camera: *camera, picture: canvas_picture(&track.view, &picture)? })
        })
        .collect()
}

/// Takes the trust from the pixels of frame 0 that show something else than the specimen; true when there are many.
fn distrust_what_moves(
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    moments: &[Moment],
    quiet: &[bool],
    tracks: &mut [CameraTrack],
) -> Result<bool, SessionError> {
    let mut many = false;
    for (moment, _) in moments.iter().zip(quiet).filter(|(_, quiet)| **quiet) {
        let pictures = load_pictures(source, tracks, moment)?;
        for (p, (_, frame)) in pictures.into_iter().zip(&moment.frames) {
            if *frame == 0 {
                continue;
            }
            let first = &mut tracks[p.camera].first;
            let covered = first.raster.triangle.mapv(|t| t != NO_TRIANGLE);
            let at_rest = trusted_at_rest(&first.picture, &p.picture, &covered, setup.estimator)?;
            many |= distrust(first, &covered, &at_rest);
        }
    }
    Ok(many)
}

/// The same for an impactor that rests until the contact: it is found in the first frames in which it has moved.
fn distrust_impactor(
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    moments: &[Moment],
    quiet: &[bool],
    tracks: &mut [CameraTrack],
) -> Result<bool, SessionError> {
    /// Frames after the first contact that are looked at.
    const LOOKED_AT: usize = 6;
    let mut done = vec![false; tracks.len()];
    let mut many = false;
    let after = moments.iter().zip(quiet).filter(|(_, quiet)| !**quiet).map(|(m, _)| m);
    for moment in after.take(LOOKED_AT) {
        if done.iter().all(|d| *d) {
            break;
        }
        for p in load_pictures(source, tracks, moment)? {
            if done[p.camera] {
                continue;
            }
            let first = &mut tracks[p.camera].first;
            let covered = first.raster.triangle.mapv(|t| t != NO_TRIANGLE);
            if let Some(trusted) = trusted_beside_impactor(&first.picture, &p.picture, &covered, setup.estimator)? {
                done[p.camera] = true;
                many |= distrust(first, &covered, &trusted);
            }
        }
    }
    Ok(many)
}

/// Takes the trust from what `trusted` leaves out; true when that is a noticeable share of the mesh's pixels, so that
/// a second look at the trigger is worth its time.
fn distrust(first: &mut Appearance, covered: &Array2<bool>, trusted: &Array2<bool>) -> bool {
    const NOTICEABLE: f64 = 0.005;
    let lost = Zip::from(trusted).and(covered).fold(0usize, |n, trusted, c| n + usize::from(*c && !*trusted));
    both(&mut first.trusted, trusted);
    lost as f64 > NOTICEABLE * first.raster.covered() as f64
}

/// Tracks the first moving frames at the recorded trigger and fits the offset to what was seen.
fn find_trigger(
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    undeformed: &[[f32; 3]],
    moments: &[Moment],
    tracks: &[CameraTrack],
) -> Result<Option<TriggerFit>, SessionError> {
    /// Moving frames that are looked at; later ones differ for other reasons than the clock.
    const EARLY: usize = 5;
    /// Nodes that are compared at most.
    const NODES: usize = 1500;
    if setup.state_times_s.len() < 2 {
        return Ok(None);
    }
    let mut tracker = Tracker::new(setup.skin, setup.node_count, tracks.to_vec());
    let mut steps: Vec<(f64, Vec<[f32; 3]>, TrackedStep)> = Vec::new();
    let mut moving = 0;
    for moment in moments {
        let simulated = source.simulated_mm(moment.time_s).map_err(SessionError::Source)?;
        let pictures = load_pictures(source, tracker.cameras(), moment)?;
        let step = tracker.advance(&simulated, &pictures, setup.estimator)?;
        moving += usize::from(motion_mm(undeformed, &simulated, &step) > 1.0);
        steps.push((moment.time_s, simulated, step));
        if moving >= EARLY {
            break;
        }
    }
    let last = steps.last().map_or(0.0, |s| s.0);
    let nodes = most_moving_nodes(setup, source, undeformed, last + LARGEST_OFFSET_S, NODES)?;
    let history = node_history(setup, source, &nodes, 1.6 * (last + LARGEST_OFFSET_S))?;
    let early: Vec<EarlyStep> = steps.iter().map(|(time_s, x, step)| early_step(*time_s, x, step, &nodes)).collect();
    Ok(fit_trigger(&history, &early))
}

/// 95th percentile of the measured motion since frame 0, mm.
fn motion_mm(undeformed: &[[f32; 3]], simulated: &[[f32; 3]], step: &TrackedStep) -> f64 {
    let mut lengths: Vec<f64> = (0..undeformed.len())
        .filter(|n| step.observed[*n] > 0)
        .map(|n| (vector(simulated[n]) + step.deviation_mm[n] - vector(undeformed[n])).norm())
        .collect();
    if lengths.is_empty() {
        return 0.0;
    }
    let at = (lengths.len() * 95 / 100).min(lengths.len() - 1);
    *lengths.select_nth_unstable_by(at, f64::total_cmp).1
}

fn most_moving_nodes(
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    undeformed: &[[f32; 3]],
    until_s: f64,
    count: usize,
) -> Result<Vec<usize>, SessionError> {
    let late = source.simulated_mm(until_s).map_err(SessionError::Source)?;
    let on_skin = setup.skin.is_on_skin(setup.node_count);
    let mut nodes: Vec<usize> = (0..setup.node_count).filter(|n| on_skin[*n]).collect();
    let moved = |n: &usize| (vector(late[*n]) - vector(undeformed[*n])).norm();
    nodes.sort_by(|a, b| moved(b).total_cmp(&moved(a)).then(a.cmp(b)));
    nodes.truncate((4 * count).min(nodes.len() / 2 + 1));
    let stride = nodes.len().div_ceil(count).max(1);
    Ok(nodes.into_iter().step_by(stride).collect())
}

fn node_history(
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    nodes: &[usize],
    until_s: f64,
) -> Result<NodeHistory, SessionError> {
    let needed = setup.state_times_s.partition_point(|t| *t <= until_s) + 1;
    let times_s: Vec<f64> = setup.state_times_s.iter().copied().take(needed).collect();
    let positions_mm = times_s
        .iter()
        .map(|t| {
            let x = source.simulated_mm(*t).map_err(SessionError::Source)?;
            Ok(nodes.iter().map(|n| vector(x[*n])).collect())
        })
        .collect::<Result<_, SessionError>>()?;
    Ok(NodeHistory { times_s, positions_mm })
}

fn early_step(time_s: f64, simulated: &[[f32; 3]], step: &TrackedStep, nodes: &[usize]) -> EarlyStep {
    let measured = nodes
        .iter()
        .map(|n| {
            (step.observed[*n] > 0).then(|| (vector(simulated[*n]) + step.deviation_mm[*n], step.covariance_mm2[*n]))
        })
        .collect();
    EarlyStep { time_s, measured }
}

fn vector(p: [f32; 3]) -> Vector3<f64> {
    Vector3::from(p.map(f64::from))
}

/// Moments at which neither the simulation nor, by the offset, the test has begun to move.
fn quiet_moments(
    source: &dyn ReviewSource,
    moments: &[Moment],
    undeformed: &[[f32; 3]],
    offset_s: f64,
    alignment: &[CameraAlignment],
) -> Result<Vec<bool>, SessionError> {
    let mm_per_px = alignment.iter().map(|a| a.mm_per_px).fold(f64::INFINITY, f64::min);
    let mut quiet = true;
    moments
        .iter()
        .map(|m| {
            if quiet {
                let x = source.simulated_mm(m.time_s + offset_s).map_err(SessionError::Source)?;
                let most = x.iter().zip(undeformed).map(|(a, b)| (vector(*a) - vector(*b)).norm()).fold(0.0, f64::max);
                quiet = most < 0.1 * mm_per_px;
            }
            Ok(quiet)
        })
        .collect()
}

/// Velocity of every node in the simulation, mm/s: what an error of the clock costs.
fn speed_mm_per_s(source: &dyn ReviewSource, time_s: f64) -> Result<Vec<Vector3<f64>>, SessionError> {
    const HALF_S: f64 = 2.5e-4;
    let a = source.simulated_mm(time_s - HALF_S).map_err(SessionError::Source)?;
    let b = source.simulated_mm(time_s + HALF_S).map_err(SessionError::Source)?;
    Ok(a.iter().zip(&b).map(|(a, b)| (vector(*b) - vector(*a)) / (2.0 * HALF_S)).collect())
}

/// For each camera, which nodes the mesh at its measured place would show.
fn nodes_in_view(
    setup: &ReviewSetup<'_>,
    tracks: &[CameraTrack],
    simulated: &[[f32; 3]],
    deviation: &[Vector3<f64>],
) -> Vec<Vec<bool>> {
    let positions: Vec<[f32; 3]> = simulated
        .iter()
        .zip(deviation)
        .map(|(x, d)| [x[0] + d.x as f32, x[1] + d.y as f32, x[2] + d.z as f32])
        .collect();
    tracks
        .par_iter()
        .map(|t| {
            let raster = rasterise(&t.view.camera, setup.skin, &positions);
            positions.iter().map(|p| sees(&t.view, &raster, *p)).collect()
        })
        .collect()
}

/// True when the node at `p` is the nearest surface at its pixel, within the slack of one pixel's slope.
fn sees(view: &PinholeView, raster: &Raster, p: [f32; 3]) -> bool {
    let at = view.camera.pinhole_pixel_from_world(p.map(f64::from));
    let (h, w) = raster.depth_mm.dim();
    let (x, y) = (at.x.round(), at.y.round());
    if !(at.depth_mm > 0.0 && x >= 1.0 && y >= 1.0 && x < w as f64 - 1.0 && y < h as f64 - 1.0) {
        return false;
    }
    let (r, c) = (y as usize, x as usize);
    if !view.is_inside(r, c) {
        return false;
    }
    let mut farthest = f32::NEG_INFINITY;
    for i in r - 1..=r + 1 {
        for j in c - 1..=c + 1 {
            farthest = farthest.max(raster.depth_mm[(i, j)]);
        }
    }
    at.depth_mm as f32 <= farthest * 1.005 + 1.5
}

/// Beyond this sigma the film says nothing about a node: in mm, and in px of the camera.
const LARGEST_REPORTED_SIGMA: (f64, f64) = (6.0, 1.5);

#[expect(clippy::too_many_arguments, reason = "the parts of one step, used once")]
fn record_step(
    measured: &mut Measured,
    time_s: f64,
    step: &TrackedStep,
    seen: &[Vec<bool>],
    simulated: &[[f32; 3]],
    speed: &[Vector3<f64>],
    offset_sigma_s: f64,
    tracks: &[CameraTrack],
) {
    let n = simulated.len();
    let mut field = FrameField {
        time_s,
        deviation_mm: vec![[f32::NAN; 3]; n],
        sigma_mm: vec![f32::NAN; n],
        observed: step.observed.clone(),
    };
    let mut size = vec![f32::NAN; n];
    let mut along = vec![f32::NAN; n];
    let mut in_view = vec![false; n];
    for node in 0..n {
        let clock = speed[node] * offset_sigma_s;
        let covariance: Matrix3<f64> = step.covariance_mm2[node] + clock * clock.transpose();
        let mut worst: Option<f64> = None;
        let mut rays = Vec::new();
        let mut mm_per_px = 0.0f64;
        for (track, seen) in tracks.iter().zip(seen) {
            if !seen[node] {
                continue;
            }
            in_view[node] = true;
            let p = vector(simulated[node]) + step.deviation_mm[node];
            let j = track.view.camera.pixel_per_world(p.into());
            let depth = track.view.camera.pinhole_pixel_from_world(p.into()).depth_mm;
            let mm = depth / track.view.camera.intrinsics.fx;
            mm_per_px = mm_per_px.max(mm);
            let plane = j * covariance * j.transpose() * mm * mm;
            let sigma = plane.trace().max(0.0).sqrt();
            rays.push((p - track.view.camera.centre_mm()).normalize());
            worst = Some(worst.map_or(sigma, |w: f64| w.max(sigma)));
        }
        let Some(sigma) = worst else { continue };
        let mut d = step.deviation_mm[node];
        if let [ray] = rays[..] {
            // One camera: what lies along its ray is the neighbours' guess, not a measurement.
            d -= ray * ray.dot(&d);
        }
        let unit = d.try_normalize(1e-9).unwrap_or_else(Vector3::x);
        size[node] = d.norm() as f32;
        along[node] = unit.dot(&(covariance * unit)).max(0.0).sqrt() as f32;
        if sigma <= LARGEST_REPORTED_SIGMA.0.max(LARGEST_REPORTED_SIGMA.1 * mm_per_px) {
            field.deviation_mm[node] = [d.x as f32, d.y as f32, d.z as f32];
            field.sigma_mm[node] = sigma as f32;
        }
    }
    measured.fields.push(field);
    measured.size_mm.push(size);
    measured.along_sigma_mm.push(along);
    measured.in_view.push(in_view);
    measured.residuals_px.push(step.residuals_px.clone());
}
