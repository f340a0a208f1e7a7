//! The deviation carried along: each frame starts from what the last one found.
//!
//! A frame starts from where the deviation's own pace ([`super::pace`]) takes it, and is measured twice. First with the
//! look of the frame before, in which light and folds are nearly the same, so that a large change is still found; then,
//! from there, with the look of frame 0, which cannot drift. Where frame 0 no longer matches (a fold has changed the
//! light, the surface was hidden) the first measurement stays, with a larger sigma. When many matches were far from
//! where they were looked for, the second measurement is made once more from where they are.
//!
//! All of it is kept at the unknowns of the field, which are the nodes unless the mesh is fine ([`super::controls`]).

mod doubt;
mod step;
mod told;

use std::sync::Arc;

use nalgebra::{Matrix3, Vector3};
use ndarray::Array2;
use rayon::prelude::*;

use self::doubt::{limit_by_distance, local_chi2};
pub use self::step::{StepPicture, TrackedStep};
use self::told::{add_back, has_far_to_go, keep_believed, paints_of, told};
use super::controls::Controls;
use super::designs::Designs;
use super::lift::{LiftError, LiftPrior, Lifted, Sighting, StudyLift, lift, lift_by_study, lift_increment};
use super::measure::{CameraTrack, Candidate, Look, RealPicture, measure};
use super::pace::Pace;
use super::record::sees;
use super::seen_by::SeenBy;
use super::session::{ReviewSource, SourceError, vector};
use super::study_prior::StudyPrior;
use crate::geom::{NO_TRIANGLE, Skin};
use crate::vision::{Appearance, Paint, Predicted, ResidualEstimator, Support, VisionError};

/// Tracking that could not go on.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// A picture could not be worked on.
    #[error("could not measure camera {camera}")]
    Vision {
        /// Index of the camera.
        camera: usize,
        /// Why.
        source: VisionError,
    },
    /// The lift failed.
    #[error(transparent)]
    Lift(#[from] LiftError),
}

/// Follows one structure through one test.
#[derive(Debug)]
pub struct Tracker<'a> {
    skin: &'a Skin,
    /// What is left of the skin, once elements have eroded.
    living: Option<Skin>,
    /// Where the nodes are before the test, mm.
    rest_mm: Vec<[f32; 3]>,
    controls: Arc<Controls>,
    cameras: Vec<CameraTrack>,
    deviation: Vec<Vector3<f64>>,
    sigma_mm: Vec<f64>,
    pace: Pace,
    /// The unknowns that were measured last.
    seen: Vec<bool>,
    /// What a study says of the next moment.
    study: Option<StudyPrior>,
}

/// All that a [`Tracker`] learns on its way.
#[derive(Debug)]
pub(super) struct TrackerState {
    deviation: Vec<Vector3<f64>>,
    sigma_mm: Vec<f64>,
    pace: Pace,
    seen: Vec<bool>,
    last: Vec<Option<Appearance>>,
}

/// How much the deviation of neighbours changes differently from frame to frame, 1-sigma, mm.
const MEMBRANE_MM: f64 = 0.7;
/// How far an edge of the mesh may be from the turned edge of the simulation, 1-sigma: in mm, and as a share of its
/// length.
/// Between runs of the studies 68 % of the edges of a box at the end of its folding differ by 0.3 to 0.7 mm, those of
/// beams by 0.02 to 0.1 mm, and the hinges by mm: the core of the distribution is narrow, its tails are long.
const SHAPE: (f64, f64) = (0.05, 0.05);
/// The same for the doubt, where the turn of an edge is not known either, 1-sigma, mm.
const DOUBT_MM: f64 = 1.5;
/// How much a node's deviation changes from frame to frame, 1-sigma, mm.
const CHANGE_MM: f64 = 4.0;
/// Nothing is less known than this, mm.
const LARGEST_SIGMA_MM: f64 = 30.0;
/// Shared error of sightings against frame 0 and against the frame before, px.
const NOISE_PX: [f64; 2] = [0.06, 0.15];
/// Variance that neighbouring sightings share (a wrong slope of the mesh under them, the lens, the light) over what
/// they claim one by one: found on the shared test crash_box-T2, where 80 % of truths lay within 2 sigma without it.
const SHARED_ERROR: f64 = 2.0;
/// Where a study is heard, the covariance that is told is this share of the one that is carried on, and grows with the
/// deviation, as a share of it: where the structure has another shape, the look of frame 0 is drawn onto wrong slopes.
/// Found on nine films that were drawn and on bumper-T3: without, more than 99 % of what deviates little lay within 2 sigma, and less
/// than 60 % of what deviates by 25 mm.
const TOLD_BY_STUDY: f64 = 0.4;
const WITH_DEVIATION_BY_STUDY: f64 = 0.06;
/// Variance of sightings against the frame before over what they claim, where a study knows better: they hold on to what
/// was once mistaken for another place. At the end of crash_box-T2 a quarter of them are off by more than 4 mm.
const DRIFTS: f64 = 4.0;
/// A surface whose place is known to this many mm may lend its look.
const PLACED_MM: f64 = 3.0;
/// A sighting with less robust weight is not believed.
const BELIEVED: f64 = 0.3;
/// Half the side of the square around a believed point whose look is trusted, px.
const TRUST_RADIUS: usize = 5;

impl<'a> Tracker<'a> {
    /// Starts at frame 0, where the deviation is zero by the way it is measured; `rest_mm` is where the nodes are then.
    #[must_use]
    pub fn new(skin: &'a Skin, rest_mm: &[[f32; 3]], cameras: Vec<CameraTrack>) -> Self {
        let sees = |p: &[f32; 3]| cameras.iter().any(|c| sees(&c.view, &c.first.raster, *p));
        let controls = Arc::new(Controls::new(skin, rest_mm, || rest_mm.par_iter().map(sees).collect()));
        let seen = controls.places(rest_mm).par_iter().map(sees).collect();
        let count = controls.count();
        Self {
            skin,
            living: None,
            rest_mm: rest_mm.to_vec(),
            controls,
            cameras,
            deviation: vec![Vector3::zeros(); count],
            sigma_mm: vec![0.1; count],
            pace: Pace::new(count),
            seen,
            study: None,
        }
    }

    /// Hears what the study of `source` says of the moment to come, where there is one: a simulation time in s, and where
    /// the simulation has the nodes then.
    pub(super) fn hear(
        &mut self,
        source: &dyn ReviewSource,
        time_s: f64,
        simulated_mm: &[[f32; 3]],
    ) -> Result<(), SourceError> {
        let designs = Designs::at(source, &self.controls, time_s, simulated_mm)?;
        self.study = designs.and_then(|d| StudyPrior::new(&d, &self.controls.edges, &self.seen));
        Ok(())
    }

    /// Takes away what has eroded by a simulation time in s.
    pub(super) fn erode(&mut self, source: &dyn ReviewSource, time_s: f64) -> Result<(), SourceError> {
        let alive = source.alive(time_s)?.filter(|alive| alive.contains(&false));
        self.living = alive.map(|alive| self.skin.of_living(&alive));
        Ok(())
    }

    /// The skin as it is at the moment: its triangles keep their numbers, those that have eroded are points.
    pub(super) fn skin(&self) -> &Skin {
        self.living.as_ref().unwrap_or(self.skin)
    }

    /// The cameras with their looks.
    #[must_use]
    pub fn cameras(&self) -> &[CameraTrack] {
        &self.cameras
    }

    /// Where the nodes are expected before a moment is measured, mm: where the simulation has them then, and what is
    /// known to deviate.
    #[must_use]
    pub fn expected_mm(&self, simulated_mm: &[[f32; 3]]) -> Vec<[f32; 3]> {
        self.controls.deviated(simulated_mm, &self.deviation)
    }

    /// What [`Tracker::restore`] needs to go on from here.
    pub(super) fn state(&self) -> TrackerState {
        TrackerState {
            deviation: self.deviation.clone(),
            sigma_mm: self.sigma_mm.clone(),
            pace: self.pace.clone(),
            seen: self.seen.clone(),
            last: self.cameras.iter().map(|c| c.last.clone()).collect(),
        }
    }

    /// Goes back to where `state` was taken.
    pub(super) fn restore(&mut self, state: TrackerState) {
        (self.deviation, self.sigma_mm, self.pace) = (state.deviation, state.sigma_mm, state.pace);
        self.seen = state.seen;
        for (camera, last) in self.cameras.iter_mut().zip(state.last) {
            camera.last = last;
        }
    }

    /// Measures one moment: `simulated_mm` is where the simulation has the nodes then; `contacts` is what is known
    /// of nodes without a picture, told against [`Self::expected_mm`].
    ///
    /// # Errors
    /// When a picture cannot be worked on.
    pub fn advance(
        &mut self,
        time_s: f64,
        simulated_mm: &[[f32; 3]],
        pictures: &[StepPicture],
        contacts: &[Sighting],
        estimator: &dyn ResidualEstimator,
    ) -> Result<TrackedStep, TrackError> {
        let anchor: Vec<f64> = self.sigma_mm.iter().map(|s| s.hypot(CHANGE_MM)).collect();
        let last = std::mem::take(&mut self.deviation);
        self.deviation = self.pace.expected(time_s, &last, &self.sigma_mm);
        let before = self.deviation.clone();
        let places: Vec<Vector3<f64>> = self.controls.places(simulated_mm).into_iter().map(vector).collect();
        let paints = paints_of(pictures)?;
        let contacts = &self.controls.tell_contacts(contacts, &self.rest_mm)[..];
        let controls = Arc::clone(&self.controls);
        let prior = prior(&controls, &places, &before, &anchor);
        let mut rough = Vec::new();
        if pictures.iter().any(|p| self.cameras[p.camera].last.is_some()) {
            (rough, _) = self.measure_all(Look::Last, simulated_mm, pictures, &paints, estimator)?;
            let told = told(&rough, contacts);
            let lifted = lift_increment(&controls.on_skin, &told, &prior)?;
            self.apply(&before, &lifted);
            rough = keep_believed(rough, &lifted);
        }
        let (mut fine, mut unseen) = self.measure_fine(&before, &rough, simulated_mm, pictures, &paints, estimator)?;
        if has_far_to_go(&fine) {
            let lifted = self.lift_all(&fine, contacts, &prior, false)?;
            self.apply(&before, &lifted);
            (fine, unseen) = self.measure_fine(&before, &rough, simulated_mm, pictures, &paints, estimator)?;
        }
        let lifted = self.lift_all(&fine, contacts, &prior, true)?;
        self.apply(&before, &lifted);
        self.pace.learn(time_s, &last, &self.deviation);
        Ok(self.finish(simulated_mm, pictures, &fine, contacts, &unseen, &lifted))
    }

    /// Measures with the look of frame 0 and, where that finds nothing, takes what `rough` found with the last one.
    /// Every sighting is told against the deviation `before` this frame, to which the anchor belongs.
    fn measure_fine(
        &self,
        before: &[Vector3<f64>],
        rough: &[Candidate],
        simulated_mm: &[[f32; 3]],
        pictures: &[StepPicture],
        paints: &[Paint],
        estimator: &dyn ResidualEstimator,
    ) -> Result<(Vec<Candidate>, Vec<Array2<bool>>), TrackError> {
        let (mut fine, unseen) = self.measure_all(Look::First, simulated_mm, pictures, paints, estimator)?;
        let place = |c: &Candidate| (c.sighting.camera, c.row / 8, c.column / 8);
        let covered: std::collections::HashSet<(usize, usize, usize)> = fine.iter().map(place).collect();
        let moved: Vec<Vector3<f64>> = self.deviation.iter().zip(before).map(|(a, b)| a - b).collect();
        for c in &mut fine {
            add_back(&mut c.sighting, &moved);
        }
        fine.extend(rough.iter().filter(|c| !covered.contains(&place(c))).cloned());
        Ok((fine, unseen))
    }

    fn measure_all(
        &self,
        look: Look,
        simulated_mm: &[[f32; 3]],
        pictures: &[StepPicture],
        paints: &[Paint],
        estimator: &dyn ResidualEstimator,
    ) -> Result<(Vec<Candidate>, Vec<Array2<bool>>), TrackError> {
        let positions = self.controls.deviated(simulated_mm, &self.deviation);
        let noise = NOISE_PX[usize::from(look == Look::Last)];
        let found: Vec<(Predicted, Vec<Candidate>)> = pictures
            .par_iter()
            .zip(paints)
            .map(|(p, paint)| {
                let real = RealPicture { picture: &p.picture, paint };
                measure(p.camera, &self.cameras[p.camera], look, self.skin(), &positions, real, estimator, noise)
                    .map_err(|source| TrackError::Vision { camera: p.camera, source })
            })
            .collect::<Result<_, _>>()?;
        let (mut all, mut unseen) = (Vec::new(), Vec::new());
        for ((predicted, mut found), p) in found.into_iter().zip(pictures) {
            found.retain(|c| !p.hides(c));
            found.par_iter_mut().for_each(|c| self.controls.tell(&mut c.sighting, &self.rest_mm));
            all.append(&mut found);
            unseen.push(predicted.support.mapv(|s| s == Support::Unseen));
        }
        Ok((all, unseen))
    }

    /// What all sightings and contacts say together, and the study where there is one.
    fn lift_all(
        &self,
        found: &[Candidate],
        contacts: &[Sighting],
        prior: &LiftPrior<'_>,
        with_covariance: bool,
    ) -> Result<Lifted, LiftError> {
        let on_skin = &self.controls.on_skin;
        if let Some(study) = &self.study {
            let firm: Vec<bool> = found.iter().map(|c| c.look == Look::First).collect();
            let known = StudyLift { alone: prior, study, firm: &firm };
            let mut told = told(found, &[]);
            for (sighting, _) in told.iter_mut().zip(found).filter(|(_, c)| c.look == Look::Last) {
                sighting.information /= DRIFTS;
            }
            return lift_by_study(on_skin, &told, contacts, &known, with_covariance);
        }
        let told = told(found, contacts);
        if with_covariance { lift(on_skin, &told, prior) } else { lift_increment(on_skin, &told, prior) }
    }

    fn apply(&mut self, before: &[Vector3<f64>], lifted: &Lifted) {
        for ((d, b), i) in self.deviation.iter_mut().zip(before).zip(&lifted.increment_mm) {
            *d = b + i;
        }
    }

    fn finish(
        &mut self,
        simulated_mm: &[[f32; 3]],
        pictures: &[StepPicture],
        fine: &[Candidate],
        contacts: &[Sighting],
        unseen: &[Array2<bool>],
        lifted: &Lifted,
    ) -> TrackedStep {
        let mut seen_by = vec![0u64; self.deviation.len()];
        let mut anchored = vec![false; self.deviation.len()];
        let mut residuals_px = Vec::new();
        let (mut misfit, mut believed) = (0.0, 0usize);
        for ((c, weight), left) in fine.iter().zip(&lifted.weights).zip(&lifted.misfit) {
            if *weight < BELIEVED {
                continue;
            }
            believed += 1;
            misfit += left * left;
            residuals_px.push(c.patch.shift[0].hypot(c.patch.shift[1]));
            for (n, w) in c.sighting.nodes.iter().zip(c.sighting.weights) {
                if w > 0.15 {
                    seen_by[*n as usize] |= 1 << c.sighting.camera.min(63);
                    anchored[*n as usize] |= c.look == Look::First;
                }
            }
        }
        for (contact, weight) in contacts.iter().zip(&lifted.weights[fine.len()..]) {
            anchored[contact.nodes[0] as usize] |= *weight >= BELIEVED;
        }
        self.seen = seen_by.iter().map(|by| *by != 0).collect();
        let covariance_mm2 = self.grow_doubt(simulated_mm, &anchored, fine, lifted);
        let positions = self.controls.deviated(simulated_mm, &self.deviation);
        for (p, unseen) in pictures.iter().zip(unseen) {
            let mut look =
                Appearance::new(&self.cameras[p.camera].view.camera, self.skin(), positions.clone(), p.picture.clone());
            look.trusted = self.trusted(p.camera, fine, &lifted.weights, p.picture.dim());
            self.trust_new_surfaces(&mut look, unseen);
            self.cameras[p.camera].last = Some(look);
        }
        TrackedStep {
            controls: Arc::clone(&self.controls),
            deviation_mm: self.deviation.clone(),
            covariance_mm2,
            seen_by: SeenBy::new(Arc::clone(&self.controls), seen_by),
            residuals_px,
            holding: self.living.as_ref().map(|skin| skin.is_on_skin(self.rest_mm.len())),
            by_study: self.study.is_some(),
            misfit: (misfit / (2 * believed.max(1)) as f64).sqrt(),
        }
    }

    /// Trusts the look of surfaces that frame 0 did not show, once their place is known: from now on they are followed
    /// from frame to frame. Their sigma stays what it was, since nothing ties them to frame 0.
    fn trust_new_surfaces(&self, look: &mut Appearance, unseen: &Array2<bool>) {
        for ((at, trusted), unseen) in look.trusted.indexed_iter_mut().zip(unseen) {
            let triangle = look.raster.triangle[at];
            if *unseen && triangle != NO_TRIANGLE {
                let placed = |n: &u32| self.controls.nearest(*n as usize).is_some_and(|k| self.sigma_mm[k] < PLACED_MM);
                *trusted |= self.skin.triangles[triangle as usize].iter().all(placed);
            }
        }
    }

    /// Covariance of the deviation: what the lift says of this frame's increment, more where sightings disagree, and
    /// the doubt of the frames before where nothing was measured – but no more than the distance to the nearest
    /// measured node allows.
    fn grow_doubt(
        &mut self,
        simulated_mm: &[[f32; 3]],
        anchored: &[bool],
        fine: &[Candidate],
        lifted: &Lifted,
    ) -> Vec<Matrix3<f64>> {
        let chi2 = local_chi2(anchored.len(), fine, lifted);
        let own = |node: usize| lifted.covariance_mm2[node] * (chi2[node] * SHARED_ERROR);
        let (told, share) = if self.study.is_some() { (TOLD_BY_STUDY, WITH_DEVIATION_BY_STUDY) } else { (1.0, 0.0) };
        let mut sigma: Vec<f64> = (0..anchored.len())
            .map(|n| {
                let now = own(n).trace() / 3.0;
                if anchored[n] { now.sqrt() } else { (now + self.sigma_mm[n].powi(2)).sqrt() }
            })
            .collect();
        limit_by_distance(&mut sigma, anchored, &self.controls.edges, &self.controls.places(simulated_mm));
        let grown = (0..anchored.len())
            .map(|n| {
                let own = own(n);
                let unmeasured = (sigma[n].powi(2) - own.trace() / 3.0).max(0.0);
                own * told + Matrix3::identity() * (unmeasured + (share * self.deviation[n].norm()).powi(2))
            })
            .collect();
        self.sigma_mm = sigma.into_iter().map(|s| s.min(LARGEST_SIGMA_MM)).collect();
        grown
    }

    /// Pixels around believed points: there the picture really shows the specimen.
    fn trusted(&self, camera: usize, fine: &[Candidate], weights: &[f64], size: (usize, usize)) -> Array2<bool> {
        let mut trusted = Array2::from_elem(size, false);
        for (c, weight) in fine.iter().zip(weights) {
            if c.sighting.camera != camera || *weight < BELIEVED {
                continue;
            }
            let row = (c.row as f32 + c.patch.shift[1]).round().max(0.0) as usize;
            let column = (c.column as f32 + c.patch.shift[0]).round().max(0.0) as usize;
            for r in row.saturating_sub(TRUST_RADIUS)..(row + TRUST_RADIUS + 1).min(size.0) {
                for k in column.saturating_sub(TRUST_RADIUS)..(column + TRUST_RADIUS + 1).min(size.1) {
                    trusted[(r, k)] = true;
                }
            }
        }
        trusted
    }
}

/// What the lift believes before this frame's sightings where no study tells it.
fn prior<'a>(
    controls: &'a Controls,
    simulated_mm: &'a [Vector3<f64>],
    before_mm: &'a [Vector3<f64>],
    anchor_mm: &'a [f64],
) -> LiftPrior<'a> {
    LiftPrior {
        edges: &controls.edges,
        membrane_mm: MEMBRANE_MM,
        simulated_mm,
        shape_mm: SHAPE.0,
        shape_share: SHAPE.1,
        doubt_mm: DOUBT_MM,
        before_mm,
        anchor_mm,
    }
}
