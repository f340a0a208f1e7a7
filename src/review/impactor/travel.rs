//! How far the impactor has come at each moment, from its own surface.
//!
//! It goes straight and does not deform, so that its way is one number: the robust mean over all patches of its
//! surface in all cameras, each matched from one frame.

use nalgebra::Vector3;
use ndarray::Array2;
use rayon::prelude::*;

use super::super::measure::CameraTrack;
use super::super::session::{ReviewSource, SessionError, load_pictures};
use super::super::timeline::Moment;
use super::base::BaseShot;
use super::line::{Line, Pace};
use super::{Body, image_of};
use crate::vision::{PatchMatcher, VisionError, local_contrast};

/// Distance between examined pixels.
const STRIDE: usize = 8;
/// A patch that correlates less shows something else.
const LOWEST_ZNCC: f32 = 0.6;
/// Patches that must be matched.
const FEWEST: usize = 30;
/// A patch that lands farther from where it is expected is another one, px.
const FARTHEST_PX: f64 = 6.0;
/// A body that goes straight leaves no more than this across its line, px: else it turns, or it is not the impactor.
const STRAIGHT_PX: f64 = 1.0;
/// Error that all patches share: of the place (as a share of the way) and of the lens and the pose, mm.
const SHARED: (f64, f64) = (0.002, 0.2);

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Travel {
    /// Since the moment [`Pace::base`], mm.
    pub(super) way_mm: f64,
    /// 1-sigma, mm.
    pub(super) sigma_mm: f64,
}

/// One patch of the impactor's surface.
struct Patch {
    row: usize,
    column: usize,
    at_mm: Vector3<f64>,
    /// Its distance from the camera, and so its way in mm, is well known.
    firm: bool,
}

/// Follows a body from one moment of a film to the next.
pub(super) struct Follower<'a> {
    line: Line<'a>,
    pace: Pace,
    offset_s: f64,
    /// What shows it at the moment [`Pace::base`], one a camera; `None` where the camera has no picture of that moment.
    shown: Vec<Option<Shown>>,
    /// How far it is ahead of where it is expected, mm: by its pace, after the newest moment and before the first.
    lead_mm: f64,
}

/// A body in one camera's picture of the moment [`Pace::base`].
struct Shown {
    paint: Array2<f32>,
    image: Array2<bool>,
    patches: Vec<Patch>,
}

impl<'a> Follower<'a> {
    /// Follows `body`, which `shots` show.
    ///
    /// # Errors
    /// When a picture cannot be worked on.
    pub(super) fn new(
        tracks: &[CameraTrack],
        shots: &[Option<BaseShot>],
        body: &impl Body,
        line: Line<'a>,
        pace: Pace,
        offset_s: f64,
    ) -> Result<Self, SessionError> {
        let shown = tracks.par_iter().zip(shots).map(|(track, shot)| {
            let Some(shot) = shot else { return Ok(None) };
            let image = image_of(body, &track.view);
            let patches = patches_of(body, track, &image, shot);
            Ok(Some(Shown { paint: local_contrast(&shot.picture)?, image, patches }))
        });
        let shown = shown.collect::<Result<_, VisionError>>()?;
        Ok(Self { line, pace, offset_s, shown, lead_mm: 0.0 })
    }

    /// Its way up to the last of `moments`, from the moment [`Pace::base`] to both sides; `None` where it was not seen
    /// well enough.
    ///
    /// # Errors
    /// When a picture cannot be read or worked on.
    pub(super) fn whole_way(
        &mut self,
        source: &dyn ReviewSource,
        moments: &[Moment],
        tracks: &[CameraTrack],
    ) -> Result<Vec<Option<Travel>>, SessionError> {
        let base = self.pace.base;
        let back = (0..base).rev().map(|index| self.next(source, moments, tracks, index));
        let mut travel = back.collect::<Result<Vec<_>, _>>()?;
        travel.reverse();
        travel.push(Some(Travel { way_mm: 0.0, sigma_mm: SHARED.1 }));
        self.lead_mm = 0.0;
        for index in base + 1..moments.len() {
            travel.push(self.next(source, moments, tracks, index)?);
        }
        Ok(travel)
    }

    /// Its way at the moment `index`, which must come after the one that was asked for before (or, backwards, before it).
    ///
    /// # Errors
    /// When a picture cannot be read or worked on.
    pub(super) fn next(
        &mut self,
        source: &dyn ReviewSource,
        moments: &[Moment],
        tracks: &[CameraTrack],
        index: usize,
    ) -> Result<Option<Travel>, SessionError> {
        let (base_s, time_s) = (moments[self.pace.base].time_s + self.offset_s, moments[index].time_s + self.offset_s);
        let expected_mm = self.pace.rate * self.line.simulated_way_between_mm(self.pace.before, base_s, time_s);
        let pictures = load_pictures(source, tracks, &moments[index])?;
        let reals = pictures.par_iter().map(|p| local_contrast(&p.picture)).collect::<Result<Vec<_>, VisionError>>()?;
        let mut seen = Some(Travel { way_mm: expected_mm + self.lead_mm, sigma_mm: 0.0 });
        for _ in 0..2 {
            let Some(guess) = seen else { break };
            let mut votes: Vec<(bool, [f64; 3])> = Vec::new();
            for (p, real) in pictures.iter().zip(&reals) {
                let Some(shown) = &self.shown[p.camera] else { continue };
                let matcher = PatchMatcher::new(&shown.paint, real);
                let camera = &tracks[p.camera].view.camera;
                let found = |patch: &Patch| {
                    let usable = |at| shown.image[at];
                    Some((patch.firm, vote(patch, &matcher, camera, self.line.direction, guess.way_mm, usable)?))
                };
                votes.par_extend(shown.patches.par_iter().filter_map(found));
            }
            seen = agreed(&mut firm_ones(votes));
        }
        if let Some(t) = seen {
            self.lead_mm = t.way_mm - expected_mm;
        }
        Ok(seen)
    }
}

/// The patches of the body that a picture shows: where the structure stands in front of it, it shows the structure.
fn patches_of(body: &impl Body, track: &CameraTrack, image: &Array2<bool>, shot: &BaseShot) -> Vec<Patch> {
    let spots = image.indexed_iter().filter(|((r, c), shown)| **shown && r % STRIDE == 0 && c % STRIDE == 0);
    spots
        .filter_map(|((row, column), _)| {
            let at_mm = body.seen_at(&track.view.camera, row as f64, column as f64)?;
            let depth = track.view.camera.pinhole_pixel_from_world(at_mm.into()).depth_mm as f32;
            let firm = body.is_firm_at(at_mm);
            (shot.raster.depth_mm[(row, column)] > depth).then_some(Patch { row, column, at_mm, firm })
        })
        .collect()
}

/// One patch's way in mm, its weight, and what is left across the line in px.
fn vote(
    patch: &Patch,
    matcher: &PatchMatcher<'_>,
    camera: &crate::geom::Camera,
    direction: Vector3<f64>,
    guess_mm: f64,
    usable: impl Fn((usize, usize)) -> bool,
) -> Option<[f64; 3]> {
    let pixel = |way: f64| camera.pinhole_pixel_from_world((patch.at_mm + direction * way).into());
    let (start, here, next) = (pixel(0.0), pixel(guess_mm), pixel(guess_mm + 1.0));
    if next.depth_mm <= 0.0 {
        return None;
    }
    let slope = [next.x - here.x, next.y - here.y];
    let shift = [(here.x - start.x) as f32, (here.y - start.y) as f32];
    let found = matcher.refine(patch.row, patch.column, shift, |r, c| usable((r, c)))?;
    let left = [f64::from(found.shift[0] - shift[0]), f64::from(found.shift[1] - shift[1])];
    if found.zncc < LOWEST_ZNCC || left[0].hypot(left[1]) > FARTHEST_PX {
        return None;
    }
    let steep = slope[0] * slope[0] + slope[1] * slope[1];
    let more = (slope[0] * left[0] + slope[1] * left[1]) / steep;
    let across = (slope[0] * left[1] - slope[1] * left[0]) / steep.sqrt();
    (steep > 1e-6).then_some([guess_mm + more, steep, across])
}

/// The votes of the patches whose distance is well known, where they are enough; else all.
fn firm_ones(votes: Vec<(bool, [f64; 3])>) -> Vec<[f64; 3]> {
    let enough = votes.iter().filter(|(firm, _)| *firm).count() >= FEWEST;
    votes.into_iter().filter(|(firm, _)| *firm || !enough).map(|(_, vote)| vote).collect()
}

/// The weighted median of the votes; `None` when they are few or when the body does not go straight.
fn agreed(votes: &mut [[f64; 3]]) -> Option<Travel> {
    if votes.len() < FEWEST {
        return None;
    }
    let mut across: Vec<f64> = votes.iter().map(|v| v[2].abs()).collect();
    let middle = across.len() / 2;
    if *across.select_nth_unstable_by(middle, f64::total_cmp).1 > STRAIGHT_PX {
        return None;
    }
    votes.sort_unstable_by(|a, b| a[0].total_cmp(&b[0]));
    let half = 0.5 * votes.iter().map(|v| v[1]).sum::<f64>();
    let mut sum = 0.0;
    let way_mm = votes.iter().find(|v| {
        sum += v[1];
        sum >= half
    })?[0];
    let mut off: Vec<f64> = votes.iter().map(|v| (v[0] - way_mm).abs()).collect();
    let spread = 1.4826 * *off.select_nth_unstable_by(middle, f64::total_cmp).1 / (votes.len() as f64).sqrt();
    Some(Travel { way_mm, sigma_mm: spread.hypot(SHARED.0 * way_mm).hypot(SHARED.1) })
}

/// The way at which it touches, by the first moment after that: simulation time 0 is the contact, wherever the impactor
/// came from, and so short after it has gone as in the simulation, but for its rate. `None` when it was never seen.
pub(super) fn at_contact(
    moments: &[Moment],
    travel: &[Option<Travel>],
    line: Line<'_>,
    pace: Pace,
    offset_s: f64,
) -> Option<Travel> {
    /// Error of the rate, as a share.
    const RATE: f64 = 0.04;
    let after = moments.iter().zip(travel).filter(|(m, _)| m.time_s + offset_s >= 0.0);
    let (moment, seen) = after.filter_map(|(m, t)| Some((m, (*t)?))).next()?;
    let gone_mm = pace.rate * line.simulated_way_mm(moment.time_s + offset_s);
    Some(Travel { way_mm: seen.way_mm - gone_mm, sigma_mm: seen.sigma_mm.hypot(RATE * gone_mm) })
}
