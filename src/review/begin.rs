//! What is known before the first moment is measured: where the cameras stand, when the test began, what hides the mesh.

use rayon::prelude::*;

use super::align::align_camera;
use super::distrust::{distrust_image, distrust_impactor, distrust_what_moves};
use super::early::{Early, find_trigger};
use super::impactor::ImpactorSearch;
use super::live::FilmWatch;
use super::measure::CameraTrack;
use super::session::{ReviewSetup, ReviewSource, SessionError, vector};
use super::timeline::Moment;
use super::track::{TrackedStep, Tracker};
use super::trigger::TriggerFit;
use crate::domain::CameraAlignment;
use crate::geom::{Camera, PinholeView};
use crate::vision::{Appearance, Tone, canvas_picture};

/// A film and what it is compared with.
pub(super) struct Film<'s, 'a> {
    pub(super) setup: &'s ReviewSetup<'a>,
    pub(super) source: &'s dyn ReviewSource,
    pub(super) undeformed: &'s [[f32; 3]],
    pub(super) moments: &'s [Moment],
}

/// What is known before the first moment is measured.
pub(super) struct Begun<'a> {
    pub(super) alignment: Vec<CameraAlignment>,
    pub(super) trigger: Option<TriggerFit>,
    pub(super) search: ImpactorSearch<'a>,
    /// Moments that were measured for the trigger and need not be measured again.
    pub(super) tracked: std::vec::IntoIter<TrackedStep>,
    pub(super) tracker: Tracker<'a>,
}

impl<'a> Film<'_, 'a> {
    /// Places the cameras, fits the trigger, looks for what stands in front of the mesh.
    pub(super) fn begin(
        &self,
        report: &mut dyn FnMut(&'static str, usize) -> Result<(), SessionError>,
        watch: &dyn FilmWatch,
    ) -> Result<Begun<'a>, SessionError> {
        let Self { setup, source, undeformed, moments } = *self;
        report("align", 0)?;
        let (mut alignment, mut tracks) = align_all(setup, source, undeformed)?;
        report("trigger", 0)?;
        let mut early = find_trigger(setup, source, undeformed, moments, &tracks, 0.0, None)?;
        report("impactor", 0)?;
        let search = self.find_impactor(&mut early, &tracks, watch.arrived())?;
        let quiet = quiet_moments(source, moments, undeformed, offset_of(early.fit).0, &alignment)?;
        let moved = distrust_what_moves(setup, source, moments, &quiet, &mut tracks)?;
        let hidden = match &search.found {
            Some(impactor) => distrust_image(impactor, &mut tracks),
            None => distrust_impactor(setup, source, moments, &quiet, &mut tracks)?,
        };
        if hidden || moved {
            // What is measured leans towards where it was looked for: this time that is nearer to the truth.
            let assumed_s = offset_of(early.fit).0;
            drop(early);
            report("trigger", 0)?;
            let way = search.found.as_ref().map(|impactor| impactor.way(moments));
            early = find_trigger(setup, source, undeformed, moments, &tracks, assumed_s, way.as_ref())?;
        }
        let trigger = early.fit;
        let (offset_s, offset_sigma_s) = offset_of(trigger);
        let (tracked, tracker) = early.still_true(setup, source, undeformed, offset_s, tracks)?;
        for a in &mut alignment {
            (a.time_offset_s, a.time_offset_sigma_s) = (offset_s, offset_sigma_s);
        }
        Ok(Begun { alignment, trigger, search, tracked, tracker })
    }

    /// Looks for the impactor in the first `arrived` moments and fits the trigger again to its way. When that shows that
    /// it was looked for at a wrong time, it is looked for once more.
    fn find_impactor(
        &self,
        early: &mut Early<'a>,
        tracks: &[CameraTrack],
        arrived: usize,
    ) -> Result<ImpactorSearch<'a>, SessionError> {
        /// An error of the clock that puts the impactor a mm from its place, s.
        const WRONG_S: f64 = 1.5e-4;
        let mut search = ImpactorSearch::default();
        for _ in 0..2 {
            let looked_at_s = offset_of(early.fit).0;
            let before = search.found.take();
            search.look(self, tracks, looked_at_s, arrived)?;
            let Some(impactor) = &search.found else {
                search.found = before;
                break;
            };
            early.refit(Some(&impactor.way(self.moments)));
            if (offset_of(early.fit).0 - looked_at_s).abs() < WRONG_S {
                break;
            }
        }
        Ok(search)
    }
}

/// Offset of the trigger and its sigma, s; zero when nothing moves.
pub(super) fn offset_of(trigger: Option<TriggerFit>) -> (f64, f64) {
    trigger.map_or((0.0, 0.0), |t| (t.offset_s, t.sigma_s))
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

/// Moments at which neither the simulation nor, by the offset, the test has begun to move.
pub(super) fn quiet_moments(
    source: &dyn ReviewSource,
    moments: &[Moment],
    undeformed: &[[f32; 3]],
    offset_s: f64,
    alignment: &[CameraAlignment],
) -> Result<Vec<bool>, SessionError> {
    let mm_per_px = alignment.iter().map(|a| a.mm_per_px).fold(f64::INFINITY, f64::min);
    let mut quiet = true;
    let mut all: Vec<bool> = moments
        .iter()
        .map(|m| {
            if quiet {
                let x = source.simulated_mm(m.time_s + offset_s).map_err(SessionError::Source)?;
                let most = x.iter().zip(undeformed).map(|(a, b)| (vector(*a) - vector(*b)).norm()).fold(0.0, f64::max);
                quiet = most < 0.1 * mm_per_px;
            }
            Ok(quiet)
        })
        .collect::<Result<_, SessionError>>()?;
    // A simulation that never moves does not say when the test begins: nothing but frame 0 is surely at rest.
    if quiet {
        all.iter_mut().skip(1).for_each(|q| *q = false);
    }
    Ok(all)
}
